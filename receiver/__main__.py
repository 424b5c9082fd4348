"""`python -m receiver --config FILE --id NAME`."""

import sys

from semcom.extras import imports_for, needed_by

EXTRAS = ("receiver", "edge")

with imports_for("receiver", *EXTRAS, json_line=True):
    from receiver.settings import ReceiverSettings
    from semcom.service import Build, main


def load() -> Build[ReceiverSettings]:
    """Import modules that take seconds; signals are handled meanwhile."""
    with needed_by("receiver", *EXTRAS):
        from receiver.service import ReceiverService

    return ReceiverService


if __name__ == "__main__":
    sys.exit(main("receiver", ReceiverSettings, load))
