# %% [markdown]
# # From a run to a paper's figure
#
# You evaluate two codecs over two channels and write figures as wide as a journal column, their LaTeX tables and a CSV
# file with every point.

# %%
# %matplotlib inline
import csv

from IPython.display import Image

import rkd_sc

# %% [markdown]
# ## Two systems
#
# The shipped codecs for `shapes10` and `shapes100` stand in for two systems, each on its own data set. The results of
# two channel seeds are pooled.

# %%
points = {
    "channels": [{"model": "awgn"}, {"model": "rayleigh"}],
    "snr_db": {"start": -10, "stop": 20, "step": 5},
    "seeds": [0, 1],
    "images": 200,
    "engine": "onnxruntime",
}
runs = []
for name in ("shapes10", "shapes100"):
    links = {name: {"dataset": name, "codec": name}}
    runs.append(rkd_sc.evaluate({"name": f"paper-{name}", "links": links, **points}))

# %% [markdown]
# ## Figures
#
# One file per figure and format. `style` is a shipped style (`ieee`, `ieee-wide`) or a matplotlib style sheet; `labels`
# sets the displayed names of systems, codecs and channels. The corresponding command is
# `semcom report RUN... --format pdf,png --style ieee --label ...`.

# %%
written = rkd_sc.write_figures(
    "figures",
    [run.folder for run in runs],
    formats=["pdf", "png"],
    style="ieee",
    labels={"rkd-sc": "Proposed"},
)
for path in written:
    print(path)

# %%
Image("figures/accuracy-shapes10.png", width=525)

# %% [markdown]
# The PDF is as wide as the column, so `\includegraphics` needs no scaling:
#
# ```latex
# \includegraphics{figures/accuracy-shapes10.pdf}
# ```
#
# ## The table
#
# The LaTeX table has the values of the figure and uses the package `booktabs`:

# %%
print(open("figures/accuracy-shapes10.tex").read())

# %% [markdown]
# ## The numbers
#
# `curves.csv` has every point of every figure and run, unrounded.

# %%
with open("figures/curves.csv") as file:
    for row in list(csv.DictReader(file))[:4]:
        print(row["figure"], row["label"], row["channel"], row["at"], row["value"], row["items"])

# %% [markdown]
# ## Next
#
# * [Figures](../figures.md) describes everything that `semcom report --format` writes.
# * For your own style, see matplotlib's
#   [style sheets](https://matplotlib.org/stable/users/explain/customizing.html).
