"""`semcom bench run peers`: CPU of the channel by each engine beside Sionna's."""

from __future__ import annotations

from typing import get_args

from orchestrator.bench.bench_processes import asked
from orchestrator.bench.figures import Figures, Row, Target, machine
from semcom.settings import NoiseEngine

SIONNA = "Sionna"
FAST: NoiseEngine = "numba"
MANY, ONE = "10,000 codewords", "one codeword"
MODELS = ("awgn", "rayleigh")


def bench_peers(rounds: int) -> Figures:
    """Milliseconds of CPU by each engine and by Sionna, and their ratios."""
    here = machine()
    rows: list[Row] = []
    with asked("channel_sim.peer_bench") as process:
        for _ in range(rounds):
            row: Row = process.ask("again")
            ratios = {
                _ratio_of(many, model, engine): row[f"{many}, {model}: {engine}, ms"]
                / row[f"{many}, {model}: {SIONNA}, ms"]
                for many in (MANY, ONE)
                for model in MODELS
                for engine in get_args(NoiseEngine)
            }
            rows.append({**row, **ratios})
    return Figures(
        name="peers",
        title="The channel compared with Sionna's",
        rounds=rows,
        targets=[
            Target(
                claim=f"channel: CPU of {MANY} of 51 symbols over that of Sionna, {model}",
                column=_ratio_of(MANY, model, FAST),
                bound=1.2,
                at_least=False,
            )
            for model in MODELS
        ],
        facts={**here, "SNR": "5 dB", "threads": "1"},
    )


def _ratio_of(many: str, model: str, engine: NoiseEngine) -> str:
    """A column: the CPU of an engine over that of Sionna."""
    return f"{many}, {model}: {engine} over {SIONNA}"
