"""Tables, plots and pages of runs, evaluations, searches and footprints."""
