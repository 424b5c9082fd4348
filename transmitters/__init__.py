"""An edge transmitter: images in, symbols out, results counted. The only end that retries."""

import os

from semcom.children import TELEMETRY_OFF

# Before anything here imports ONNX Runtime, in whatever program.
os.environ.update(TELEMETRY_OFF)
