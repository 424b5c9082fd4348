"""`python -m transmitters --config FILE --id LINK`."""

import sys

from semcom.extras import imports_for

with imports_for("transmitter", "transmitter", "edge", json_line=True):
    from semcom.service import main
    from transmitters.service import TransmitterService
    from transmitters.settings import TransmitterSettings

if __name__ == "__main__":
    sys.exit(main("transmitter", TransmitterSettings, TransmitterService))
