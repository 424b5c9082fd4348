# %% [markdown]
# # A superposed pair
#
# Two transmitters send simultaneously over one channel, and one receiver decodes both images from the sum of their
# signals. You train a codec of the family `semnoma` for a few seconds, which shows the procedure but does not yield
# good images.

# %%
# %matplotlib inline
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import rkd_sc
from semcom.shards import Shard, write_dataset

# %% [markdown]
# ## A small data set
#
# Training in a notebook should take seconds. A few hundred synthetic images are enough, with every second row and
# column of their pixels.

# %%
rkd_sc.prepare("shapes10")
splits = {}
for split, count in (("train", 400), ("test", 40)):
    shard = Shard(Path("data/shapes10"), split)
    splits[split] = (shard.images_NHWC[:count, ::2, ::2].copy(), shard.labels_N[:count].copy())
classes = list(shard.manifest.classes)
write_dataset(
    Path("data/small"), name="small", classes=classes, source="shapes10, halved", splits=splits
).summary

# %% [markdown]
# ## A codec for two users
#
# Two epochs are enough here. A useful codec takes minutes: omit `settings` and use the preset `embedded`.

# %%
codec = rkd_sc.train(
    "small",
    preset="smoke",
    system="semnoma",
    out="codecs/pair",
    settings={"stages.semnoma.epochs": 2, "threads": 1},
)
print(f"{codec.manifest.links} links in a slot, {codec.manifest.symbols} symbols")

# %% [markdown]
# ## Two links of one group
#
# `groups` superposes the frames of two links. `powers` divides the power of a slot between the links; the SNR refers to
# the total power. The links send different images of the data set.

# %%
run = rkd_sc.sweep(
    {
        "name": "pair",
        "links": {name: {"dataset": "small", "codec": "pair"} for name in ("near", "far")},
        "groups": {"cell": {"links": ["near", "far"], "powers": {"near": 0.4, "far": 0.6}}},
        "channels": [{"model": "rayleigh"}],
        "snr_db": [0, 20],
        "images": 20,
        "frame_images": 10,
    }
)
for result in run:
    print(f"{result.link:5} {result.snr_db:3g} dB   PSNR {result.values['psnr']:.2f} dB")

# %% [markdown]
# ## What the receiver sees
#
# Item 3 of each link was sent in the same slot. The two items have different codewords and gains, but the same received
# signal.

# %%
near, far = (run.item(3, link=link).answers[-1] for link in ("near", "far"))
assert np.array_equal(near.received, far.received)
print("gains of the slot:", np.round(np.abs(near.csi), 2))

figure = Figure(figsize=(9, 3), layout="constrained")
shown = {"sent by near": near.sent, "sent by far": far.sent, "received": near.received}
for axes, (title, symbols) in zip(figure.subplots(1, 3), shown.items(), strict=True):
    axes.scatter(symbols.real, symbols.imag, s=6)
    axes.set_title(title)
    axes.set_aspect("equal")
figure

# %% [markdown]
# You can compute the sum from the codewords and the gains. Without noise it is
# $\sqrt{p_{near}} h_{near} x_{near} + \sqrt{p_{far}} h_{far} x_{far}$. `csi` holds the gains in the order of the links'
# names: first `far`, then `near`.

# %%
gains = dict(zip(sorted(["near", "far"]), near.csi, strict=True))
summed = np.sqrt(0.4) * gains["near"] * near.sent + np.sqrt(0.6) * gains["far"] * far.sent
noise = np.mean(np.abs(near.received - summed) ** 2)
print(f"noise power {noise:.4f}, an Es/N0 of {-10 * np.log10(noise):.1f} dB")

# %% [markdown]
# ## Next
#
# * Training to a useful quality: [superposed images](../training.md#superposed-images).
# * The formula of a slot: [channels](../channels.md#superposition).
