"""Load the receiving half of a codec of the family `digital`."""

from __future__ import annotations

from receiver.digital.images import ImageReceiver
from receiver.digital.sentences import SentenceReceiver
from semcom.checkpoints import Checkpoint
from semcom.families.digital import DigitalArchitecture, ImageSource, read_mean, read_sentence_code
from semcom.families.family import ReceiverHalf
from semcom.probe import probe_receiver
from semcom.settings import Engine


def load_receiver(
    checkpoint: Checkpoint, engine: Engine, device: str, threads: int
) -> ReceiverHalf:
    """Load the receiving half, ready for use; it computes on the CPU.

    Raises:
        CheckpointError: the source code is damaged or does not fit.
        ConfigurationError: Sionna is not installed.
    """
    del engine, device, threads
    architecture = DigitalArchitecture.model_validate(checkpoint.manifest.architecture)
    source, content = architecture.source, checkpoint.read_half("receiver")
    codec: ImageReceiver | SentenceReceiver
    if isinstance(source, ImageSource):
        assert architecture.item is not None  # given by the task
        codec = ImageReceiver(source, architecture.item, read_mean(content))
    else:
        code = read_sentence_code(source, content)
        codec = SentenceReceiver(source, code, longest=checkpoint.manifest.task.output_shape[0])
    probe_receiver(
        checkpoint,
        lambda symbols, snr_db: codec.decode(
            symbols, None, snr_db_N=snr_db, equalizer="zero_forcing"
        ),
    )
    return codec
