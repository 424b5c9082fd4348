"""`python -m transmitters --config FILE --id LINK`."""

import sys

from semcom.extras import imports_for, needed_by

EXTRAS = (
    "transmitter",
    "edge",
)

with imports_for("transmitter", *EXTRAS, json_line=True):
    from semcom.service import Build, main
    from transmitters.settings import TransmitterSettings


def load() -> Build[TransmitterSettings]:
    """Import modules that take seconds; signals are handled meanwhile."""
    with needed_by("transmitter", *EXTRAS):
        from transmitters.service import TransmitterService

    return TransmitterService


if __name__ == "__main__":
    sys.exit(main("transmitter", TransmitterSettings, load))
