"""`python -m receiver --config FILE --id NAME`."""

import sys

from receiver.settings import ReceiverSettings
from semcom.service import Build, main


def load() -> Build[ReceiverSettings]:
    """Import what takes seconds; a signal is answered meanwhile."""
    from receiver.service import ReceiverService

    return ReceiverService


if __name__ == "__main__":
    sys.exit(main("receiver", ReceiverSettings, load))
