# %% [markdown]
# # First sweep in Python
#
# You send 200 synthetic images over AWGN and Rayleigh fading with a shipped codec, look at the accuracies, and check
# that the result is exact. This takes half a minute.

# %%
# %matplotlib inline
import rkd_sc

# %% [markdown]
# ## A scenario
#
# A scenario defines what is sent over which channels. Here it is a dict; a YAML file with the same keys works, too.
# `shapes10` is a data set of ten synthetic shapes, and also the name of the shipped codec for it. A link is a
# transmitter with its data set and codec. `snr_db` is Es/N0 per complex symbol. With `engine: onnxruntime`, the
# transmitter runs its network without torch and starts sooner; the default is `torch`.

# %%
scenario = {
    "name": "first",
    "links": {"shapes10": {"dataset": "shapes10", "codec": "shapes10"}},
    "channels": [{"model": "awgn"}, {"model": "rayleigh"}],
    "snr_db": {"start": -10, "stop": 20, "step": 10},
    "images": 200,
    "engine": "onnxruntime",
}

# %% [markdown]
# ## The sweep
#
# `sweep` starts a transmitter, a channel and a receiver as separate processes and records every frame in a ledger. The
# data set is generated first if it is missing. All results are in the folder `runs/first`, which no later run
# overwrites: to run this cell again, remove the folder or pass another one as the second argument. With
# `progress=True`, a line shows the points done, the speed and the remaining time; a function instead of `True` gets the
# same values.

# %%
run = rkd_sc.sweep(scenario, progress=True)
run

# %% [markdown]
# A run has a result for each link and point, with its 95 % interval:

# %%
for result in run:
    low, high = result.intervals["accuracy"]
    print(
        f"{result.channel:9} {result.snr_db:5g} dB   "
        f"{100 * result.values['accuracy']:5.1f} %   ({100 * low:.1f} to {100 * high:.1f})"
    )

# %%
run.figure()

# %% [markdown]
# ## The same in one process
#
# `evaluate` computes the answers of a scenario without starting processes for the links. `sweep` and `evaluate` use the
# same networks and the same keyed random numbers, so the *results digest*, a SHA-256 over all answers, is the same.

# %%
evaluated = rkd_sc.evaluate(scenario, "runs/first-in-one-process")
print(run.results_digest)
print(evaluated.results_digest)
assert evaluated.results_digest == run.results_digest

# %% [markdown]
# ## Check it
#
# `verify` counts every frame and checks every answer again against the labels of the data set. It raises an error if
# anything is lost or altered.

# %%
for line in run.verify("data").lines():
    print(line)

# %% [markdown]
# ## Next
#
# * Change the scenario: [settings](../settings.md#a-sweep) lists every key.
# * Send with [your own codec](own_codec.md).
# * Look at [single items](debugging.md) of this run.
