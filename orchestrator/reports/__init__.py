"""Tables, plots and pages of runs, evaluations, searches and footprints."""

import os

# Matplotlib refuses to be imported where this names a backend that it does not know, as notebooks
# and desktops leave it to what they start. Reports are drawn without any.
os.environ["MPLBACKEND"] = "agg"
