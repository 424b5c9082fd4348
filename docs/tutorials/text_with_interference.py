# %% [markdown]
# # Text with interference
#
# Three links carry sentences and interfere with each other. You train a small codec of the family `kd_semcom` for a
# short time and sweep the signal-to-interference ratio (SIR).

# %%
# %matplotlib inline
from pathlib import Path

from orchestrator.datasets.drawn_sentences import prepare_sentences

import rkd_sc

# %% [markdown]
# ## Sentences and a codec
#
# The sentences are generated from a small grammar. The codec is one of the baselines, trained without a teacher: it
# recovers some words, but its quality is poor. For a better codec, generate many more sentences with
# `rkd_sc.prepare("sentences")` and omit `settings`.

# %%
prepare_sentences(Path("data/sentences"), train=1500, test=60)
codec = rkd_sc.train(
    "sentences",
    preset="embedded",
    system="baseline-3",
    out="codecs/words",
    settings={"stages.baseline.epochs": 3, "threads": 1},
)
print(f"up to {codec.manifest.symbols} symbols per sentence")

# %% [markdown]
# ## Three links that interfere with each other
#
# In a group of `kind: interference`, each link is received separately. With N interferers, its frames suffer
# interference from those of the next N links in cyclic order. All combinations of SIR and number of interferers are
# swept; without interferers, the SIR has no meaning, so there is a single point.

# %%
run = rkd_sc.evaluate(
    {
        "name": "cell",
        "links": {name: {"dataset": "sentences", "codec": "words"} for name in ("a", "b", "c")},
        "groups": {"cell": {"kind": "interference", "links": ["a", "b", "c"]}},
        "interference": {"sir_db": [0, 10, 20], "interferers": [0, 1, 2]},
        "channels": [{"model": "rayleigh"}],
        "snr_db": [18],
        "images": 60,
        "frame_images": 20,
    }
)
for result in run:
    if result.link == "a":
        print(f"{result.channel:36} BLEU-1 {100 * result.values['bleu_1']:5.1f} %")

# %% [markdown]
# ## Metric against SIR
#
# `write_figures` writes a figure of each metric against SIR and a corresponding table.

# %%
from IPython.display import Image

written = rkd_sc.write_figures("figures", [run.folder], formats=["png"])
Image(next(path for path in written if path.name.startswith("bleu-1") and path.suffix == ".png"))

# %% [markdown]
# ## Which sentences suffer
#
# Lost words are struck out; added words are marked. A channel is named by its label, as in the list above.

# %%
label = next(result.channel for result in run if "interferers=2" in result.channel)
rkd_sc.item_page(run.inspect(rkd_sc.Which(count=3), link="a", channel=label))

# %% [markdown]
# ## Next
#
# * Settings and formulas of interference: [channels](../channels.md#interference).
# * Your own sentences and codecs for them: [data sets](../datasets.md), [training](../training.md#sentences).
