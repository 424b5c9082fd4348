# %% [markdown]
# # Debugging a codec item by item
#
# The accuracy says how often a codec errs; single items show why. You find the items that a codec gets wrong, and
# distinguish errors caused by the channel from errors caused by the networks.

# %%
# %matplotlib inline
import numpy as np
from matplotlib.figure import Figure

import rkd_sc

# %%
run = rkd_sc.evaluate(
    {
        "name": "debugging",
        "links": {"shapes10": {"dataset": "shapes10", "codec": "shapes10"}},
        "channels": [{"model": "awgn"}, {"model": "rayleigh"}],
        "snr_db": [-10, 0, 10, 20],
        "images": 300,
        "engine": "onnxruntime",
    }
)
for result in run:
    print(f"{result.channel:9} {result.snr_db:4g} dB   {100 * result.values['accuracy']:.1f} %")

# %% [markdown]
# ## The worst items
#
# A run stores no symbols. They are recomputed bit for bit from its plan, and the answers are compared with its ledger.

# %%
look = run.inspect(rkd_sc.Which(count=6))
print(look.agreement())
for item in look.items:
    answers = [f"{a.snr_db:g} dB {a.text} {a.confidence:.2f}" for a in item.answers]
    print(f"item {item.number}, {item.text}: {', '.join(answers)}")

# %%
rkd_sc.item_page(look)

# %% [markdown]
# ## Is it the channel, or the networks?
#
# These items were sent over AWGN. If an answer is wrong even at 20 dB, where the channel adds hardly any noise, the
# cause is the networks. If the answer becomes correct as the SNR rises, the cause is the noise. The distances show the
# same: the symbol distance falls with rising SNR in either case, while the feature distance levels off where the codec
# cannot do better.

# %%
always = [item for item in look.items if not item.answers[-1].right]
print(f"{len(always)} of the {len(look.items)} worst items are wrong at 20 dB, too")

every = run.inspect(rkd_sc.Which(items=range(100))).items
figure = Figure(figsize=(8, 3), layout="constrained")
for axes, name in zip(figure.subplots(1, 2), ("symbol_distance", "feature_distance"), strict=True):
    for right, colour in ((True, "tab:blue"), (False, "tab:red")):
        points = [
            (a.snr_db, getattr(a, name)) for i in every for a in i.answers if a.right == right
        ]
        snr_db, distance = np.array(points).T
        shift = 0.6 if right else -0.6
        axes.scatter(snr_db + shift, distance, s=5, c=colour, label="right" if right else "wrong")
    axes.set_xlabel("Es/N0 (dB)")
    axes.set_ylabel(name.replace("_", " "))
axes.legend()
figure

# %% [markdown]
# ## One item in detail
#
# Symbols are numpy arrays: what was sent, what was received, and what the decoder got after the equaliser. Over
# Rayleigh fading, the channel state distinguishes a deep fade from noise.

# %%
item = run.item(look.items[0].number, channel="rayleigh")
for answer in item.answers:
    gain = abs(answer.csi[0])
    print(
        f"{answer.snr_db:4g} dB   |h| {gain:.2f}   answered {answer.text:9}"
        f"symbol distance {answer.symbol_distance:.2f}   feature distance {answer.feature_distance:.2f}"
    )

# %% [markdown]
# ## Replay one part
#
# With these arrays you can run any part of the link again on its own. Here the receiver decodes the codewords exactly
# as they were sent, and is told an SNR of 30 dB: what are its answers without noise?

# %%
codec = rkd_sc.load_codec("shapes10")
receiver = codec.load_receiver()
sent = np.stack([each.answers[0].sent for each in look.items])
snr_db = np.full(len(sent), 30.0, dtype=np.float32)
logits = receiver.decode(sent, None, snr_db_N=snr_db, equalizer="zero_forcing")
for each, answer in zip(look.items, logits.argmax(axis=1), strict=True):
    print(f"item {each.number}: {each.text} is answered with {look.classes[answer]} without noise")

# %% [markdown]
# ## Next
#
# * From the command line: `semcom inspect runs/debugging --html items.html` ([single items](../items.md)).
# * Symbols for GNU Radio: `semcom record shapes10 --run runs/debugging`.
