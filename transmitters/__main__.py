"""`python -m transmitters --config FILE --id LINK`."""

import sys

from semcom.service import Build, main
from transmitters.settings import TransmitterSettings


def load() -> Build[TransmitterSettings]:
    """Import what takes seconds; a signal is answered meanwhile."""
    from transmitters.service import TransmitterService

    return TransmitterService


if __name__ == "__main__":
    sys.exit(main("transmitter", TransmitterSettings, load))
