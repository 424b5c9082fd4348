"""`python -m channel_sim --config FILE --id NAME`."""

import sys

from semcom.extras import imports_for, needed_by

EXTRAS = ("channel",)

with imports_for("channel", *EXTRAS, json_line=True):
    from channel_sim.settings import BrokerSettings
    from semcom.service import Build, main


def load() -> Build[BrokerSettings]:
    """Import modules that take seconds; signals are handled meanwhile."""
    with needed_by("channel", *EXTRAS):
        from channel_sim.service import ChannelService

    return ChannelService


if __name__ == "__main__":
    sys.exit(main("channel", BrokerSettings, load))
