"""`python -m channel_sim --config FILE --id NAME`."""

import sys

from channel_sim.settings import BrokerSettings
from semcom.service import Build, main


def load() -> Build[BrokerSettings]:
    """Import what takes seconds; a signal is answered meanwhile."""
    from channel_sim.service import ChannelService

    return ChannelService


if __name__ == "__main__":
    sys.exit(main("channel", BrokerSettings, load))
