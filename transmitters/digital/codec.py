"""Load the transmitting half of a codec of the family `digital`."""

from __future__ import annotations

import torch

from semcom.checkpoints import Checkpoint
from semcom.families.digital import DigitalArchitecture, ImageSource, read_sentence_code
from semcom.families.family import TransmitterHalf
from semcom.probe import SNR_DB, probe_transmitter
from semcom.settings import Engine
from transmitters.digital.images import ImageTransmitter
from transmitters.digital.sentences import SentenceTransmitter, probe


def load_transmitter(checkpoint: Checkpoint, engine: Engine, threads: int) -> TransmitterHalf:
    """Load the transmitting half, ready for service.

    Raises:
        CheckpointError: the source code is damaged or does not fit.
        ConfigurationError: Sionna is not installed.
    """
    del engine  # it is torch: see the family
    torch.set_num_threads(threads)
    architecture = DigitalArchitecture.model_validate(checkpoint.manifest.architecture)
    source, item = architecture.source, architecture.item
    if isinstance(source, ImageSource):
        checkpoint.read_half("transmitter")
        assert item is not None  # given by the task
        images = ImageTransmitter(source, item)
        probe_transmitter(checkpoint, lambda items: images.encode(items, snr_db=SNR_DB), image=item)
        return images
    code = read_sentence_code(source, checkpoint.read_half("transmitter"))
    codec = SentenceTransmitter(source, code)
    probe(checkpoint, codec)
    return codec
