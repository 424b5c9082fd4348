"""`python -m channel_sim --config FILE --id NAME`."""

import sys

from semcom.extras import imports_for

with imports_for("channel", "channel", json_line=True):
    from channel_sim.service import ChannelService
    from channel_sim.settings import BrokerSettings
    from semcom.service import main

if __name__ == "__main__":
    sys.exit(main("channel", BrokerSettings, ChannelService))
