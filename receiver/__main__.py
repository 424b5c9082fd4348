"""`python -m receiver --config FILE --id NAME`."""

import sys

from semcom.extras import imports_for

with imports_for("receiver", "receiver", json_line=True):
    from receiver.service import ReceiverService
    from receiver.settings import ReceiverSettings
    from semcom.service import main

if __name__ == "__main__":
    sys.exit(main("receiver", ReceiverSettings, ReceiverService))
