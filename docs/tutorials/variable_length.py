# %% [markdown]
# # Codewords of several lengths
#
# Some codecs send *ordered* codewords, which consist of increments; the first n increments are a codeword, too. You
# sweep the number of increments, let the receiver's confidence determine this number, and plot the accuracy against the
# number of symbols.

# %%
# %matplotlib inline
from matplotlib.figure import Figure

import rkd_sc

rkd_sc.prepare("shapes10").summary

# %% [markdown]
# ## The codec
#
# `shapes10-nested` is one of the shipped codecs. Its codewords have four increments of 6, 6, 13 and 26 complex symbols.
# Each increment has unit mean power.

# %%
codec = rkd_sc.load_codec("shapes10-nested")
task = codec.manifest.task
print("symbols of one increment, of two, ...:", task.lengths)

# %% [markdown]
# ## A sweep over lengths
#
# `increments` is an axis of a scenario. The noise of a symbol is keyed by its position in the codeword, so a symbol has
# the same noise at every length. With `{confidence: 0.9}` the transmitter sends one increment, and the receiver answers
# with a class and its probability. As long as this probability is below 0.9, the transmitter sends one more increment,
# until it has sent all of them.

# %%
scenario = {
    "name": "lengths",
    "engine": "onnxruntime",
    "receiver_engine": "onnxruntime",
    "links": {"camera": {"dataset": "shapes10", "codec": "shapes10-nested"}},
    "increments": [1, 2, 3, 4, {"confidence": 0.7}, {"confidence": 0.9}],
    "snr_db": [-10, -5, 0],
    "images": 300,
}
run = rkd_sc.sweep(scenario)
for result in run:
    values = result.values
    print(
        f"{result.snr_db:4g} dB  {result.channel:22}  {values['mean_symbols']:5.1f} symbols  "
        f"{100 * values['accuracy']:5.1f} %"
    )

# %% [markdown]
# ## Accuracy against symbols
#
# Solid lines with circles show fixed lengths; dashed lines with squares show confidences. `semcom report` draws the same
# figure with intervals.

# %%
figure = Figure(figsize=(6, 3.5), layout="constrained")
axes = figure.subplots()
for number, snr_db in enumerate(scenario["snr_db"]):
    points = [result for result in run if result.snr_db == snr_db]
    for adaptive, style in ((False, "o-"), (True, "s--")):
        shown = sorted(
            (each.values["mean_symbols"], 100 * each.values["accuracy"])
            for each in points
            if ("confidence" in each.channel) == adaptive
        )
        axes.plot(*zip(*shown, strict=True), style, color=f"C{number}", label=f"{snr_db} dB")
axes.set_xlabel("mean complex symbols of an item")
axes.set_ylabel("accuracy (%)")
axes.legend(ncols=3)
figure

# %% [markdown]
# ## What was sent for single images
#
# The ledger holds the number of increments sent for every image, so `semcom verify` can count the symbols again. If the
# scenario keeps its answers, `answers` lists this number next to the answered class. Here, an evaluation in one process
# keeps them; its results digest equals that of the sweep.

# %%
evaluated = rkd_sc.evaluate({**scenario, "keep_answers": True}, "runs/lengths-evaluated")
assert evaluated.results_digest == run.results_digest
answers = evaluated.answers("camera", point=5 * len(scenario["snr_db"]))
for increments in (1, 2, 3, 4):
    print(
        f"{increments} increments: {(answers[:, 1] == increments).sum()} of {len(answers)} images"
    )

# %% [markdown]
# At -10 dB, the last rate, `{confidence: 0.9}`, spends all four increments on most images. At 0 dB, a single increment
# is enough for most images.
#
# To train your own ordered codec, set `architecture.channel.increments`
# ([training](../training.md#codecs-of-several-lengths)).
