# %% [markdown]
# # Your own channel
#
# A channel model is one class in a package with one entry point. You write a model in which an obstacle occasionally
# blocks the path, install it, and compare it with AWGN in a sweep.

# %%
# %matplotlib inline
import os
import subprocess
import sys
from pathlib import Path

# %% [markdown]
# ## The package
#
# `draw` draws the state of every codeword from keyed random numbers, `apply` applies it, and `gains` returns the
# channel state that the receiver gets. The channel adds the noise afterwards. Draw from `streams` only: the same seed
# then gives the same answers, even if processes are killed during the run.

# %%
package = Path("blocked_path")
package.mkdir(exist_ok=True)
(package / "blocked_path.py").write_text('''
import numpy as np
from pydantic import Field

from channel_sim.models.model import ChannelModel, multiplied


class BlockedChannel(ChannelModel):
    """A gain of 1, or of -loss_db dB for a blocked codeword, scaled to a mean power of 1."""

    share: float = Field(default=0.3, ge=0, le=1, description="of codewords that are blocked")
    loss_db: float = Field(default=15.0, ge=0, le=60, description="of a blocked codeword")

    def draw(self, streams, *, symbols):
        del symbols  # a gain holds for the whole codeword
        drawn = streams.block_normals("blocked", coherence=1, per_item=1)
        uniform = np.exp(-np.abs(drawn) ** 2)  # |x|^2 of a complex normal is exponential
        gains = np.where(uniform < self.share, 10 ** (-self.loss_db / 20), 1.0)
        power = 1 - self.share + self.share * 10 ** (-self.loss_db / 10)
        return (gains / np.sqrt(power)).astype(np.complex64)

    def apply(self, symbols_BK, state):
        return multiplied(symbols_BK, state)

    def gains(self, state):
        return state
''')
(package / "pyproject.toml").write_text("""
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "blocked-path"
version = "1.0"

[project.entry-points."rkd_sc.channels"]
blocked = "blocked_path:BlockedChannel"

[tool.setuptools]
py-modules = ["blocked_path"]
""")

# %% [markdown]
# ## Install it
#
# `pip install ./blocked_path` is all that you need. This notebook installs into a separate folder, so that your
# environment stays unchanged.

# %%
pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
subprocess.run([*pip, "--target", "site", "./blocked_path"], check=True)
sys.path.insert(0, str(Path("site").resolve()))
os.environ["PYTHONPATH"] = str(Path("site").resolve())  # for the processes of the sweep

import numpy as np

import rkd_sc

# %% [markdown]
# ## Try it on symbols
#
# `rkd_sc.Channel` passes symbols through any model, without codecs or processes.

# %%
channel = rkd_sc.Channel({"model": "blocked", "share": 0.3, "loss_db": 15})
symbols = np.ones((10_000, 4), dtype=np.complex64)
received = channel.pass_through(symbols, snr_db=60, seed=1)
gains = np.abs(received.csi[:, 0])
print(f"blocked: {np.mean(gains < 1):.3f}, mean power {np.mean(gains**2):.3f}")

# %% [markdown]
# ## Sweep it
#
# A scenario refers to the model by its name and can set the fields that the class declares. An invalid setting gives a
# one-line error:

# %%
try:
    rkd_sc.Channel({"model": "blocked", "share": 3})
except rkd_sc.SemcomError as error:
    print(error)

# %%
run = rkd_sc.sweep(
    {
        "name": "blocked",
        "links": {"shapes10": {"dataset": "shapes10", "codec": "shapes10"}},
        "channels": [{"model": "awgn"}, {"model": "blocked", "share": 0.3}],
        "snr_db": [-5, 5, 15],
        "images": 200,
        "engine": "onnxruntime",
    }
)
run.figure()

# %% [markdown]
# ## Next
#
# * The interface and the available models: [channels](../channels.md).
# * A package with tests, as you would publish it: [examples/own_channel](../../examples/own_channel/README.md).
