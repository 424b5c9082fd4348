"""How many examples a property is tried on: as many as it says, or more where they are random."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

SHARED, EXPLORE = "shared", "explore"
USUAL, MORE = 100, 2000  # examples of a property that does not say how many


def register_profiles() -> None:
    """Register the profile of every run, whose examples are always the same, and the random one.

    `pytest --hypothesis-profile explore` chooses the latter.
    """
    # How long an example takes depends on what else the machine does.
    unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(
        SHARED, unhurried, max_examples=USUAL, derandomize=True, database=None
    )
    settings.register_profile(EXPLORE, unhurried, max_examples=MORE, derandomize=False)
    settings.load_profile(SHARED)


def examples(number: int, *, suppress: HealthCheck | None = None) -> settings:
    """Return settings for so many examples; `explore` tries as many times more as of others."""
    checks = [HealthCheck.too_slow, *([] if suppress is None else [suppress])]
    number = number * settings().max_examples // USUAL
    return settings(max_examples=number, suppress_health_check=checks)
