"""A family: the parts of its codecs, and where their two halves are loaded from.

Shape legend: N items of a frame, K complex symbols of a codeword, M columns of channel state,
U users of a slot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from semcom.codec_arrays import End
from semcom.errors import ConfigurationError
from semcom.item_keys import ItemKey
from semcom.plugins import named
from semcom.points import EqualizerMethod
from semcom.settings import Engine
from semcom.tasks.ordered_classification import OrderedClassification
from semcom.used_symbols import Used, format_used

if TYPE_CHECKING:  # checkpoints know families
    from semcom.checkpoints import Checkpoint
    from semcom.codec_manifest import AnyManifest

Symbols = npt.NDArray[np.complex64]


class TransmitterHalf(Protocol):
    """Semantic encoder and channel encoder of one link."""

    def encode(self, items: npt.NDArray[Any], *, snr_db: float) -> Symbols:
        """Encode one frame: images uint8 (N, H, W, 3) -> complex64 (N, K), mean |z|^2 at most 1.

        `snr_db` may be used only by codecs whose manifest says `needs_snr`.
        """
        ...


class ReceiverHalf(Protocol):
    """Channel decoder and task head of one link."""

    def decode(
        self,
        received_NK: Symbols,
        csi_NM: Symbols | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
    ) -> npt.NDArray[np.float32]:
        """Decode one forward pass: complex64 (N, K) -> outputs for the task, float32.

        Its shape is (N, *task.output_shape): logits, or pixels of 0..1.
        """
        ...


class VariableLengthTransmitterHalf(TransmitterHalf, Protocol):
    """The transmitting half of a codec whose manifest says `variable_length`."""

    def used_symbols(self, items: npt.NDArray[Any]) -> Used:
        """Return how many symbols of each codeword are sent: uint16 (N,), at most K.

        The remaining symbols of a codeword are 0; its mean |z|^2 over the symbols sent is at most
        1.
        """
        ...


class VariableLengthReceiverHalf(ReceiverHalf, Protocol):
    """The receiving half of a codec whose manifest says `variable_length`."""

    def decode(
        self,
        received_NK: Symbols,
        csi_NM: Symbols | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
        used_N: Used | None = None,
    ) -> npt.NDArray[np.float32]:
        """Decode codewords of which `used_N` symbols were sent; None: all.

        It must accept any number from 0 to K, whatever the transmitting half sends.
        """
        ...


class DrawingReceiverHalf(ReceiverHalf, Protocol):
    """A receiving half that draws random numbers: `draws` is true, and it gets the items' keys.

    An item's key gives the same draw, however often and with whichever items it is decoded.
    """

    draws: bool

    def decode(
        self,
        received_NK: Symbols,
        csi_NM: Symbols | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
        keys_N: Sequence[ItemKey] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Decode as any half; `keys_N` are the items' keys (`keys_UN` of `decode_users`)."""
        ...


class JointTransmitterHalf(TransmitterHalf, Protocol):
    """The transmitting half of users who send in one slot."""

    def as_user(self, user: int) -> TransmitterHalf:
        """Return the half of one user; `user` is the index among the slot's links.

        Links are in ascending order of their names, like the sums of the slot.
        """
        ...


class JointReceiverHalf(ReceiverHalf, Protocol):
    """The receiving half of users whose codewords arrive as one sum."""

    def decode_users(
        self,
        received_NK: Symbols,
        csi_NU: Symbols | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """Decode slots: complex64 (N, K) -> each user's outputs, float32 (U, N, *output_shape).

        `csi_NU` are the gains h_u of the users in the order of the sum, without their powers; None
        without fading. `snr_db_N` refers to the total power of the slot.
        """
        ...


def used_of(codec: TransmitterHalf, manifest: AnyManifest, items: npt.NDArray[Any]) -> bytes:
    """Return the `used` of a frame with these items."""
    if not manifest.variable_length or isinstance(manifest.task, OrderedClassification):
        return b""  # for ordered codewords, the point determines it
    used_N = cast(VariableLengthTransmitterHalf, codec).used_symbols(items)
    return format_used(used_N, manifest.symbols)


LoadTransmitter = Callable[["Checkpoint", Engine, int], TransmitterHalf]
LoadReceiver = Callable[["Checkpoint", Engine, str, int], ReceiverHalf]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family, as the running system uses it.

    Code is named as `module:attribute`, so that each process imports only the half it runs.

    Attributes:
        name: the name in manifests.
        title: the name in reports.
        architecture: model that checks the family's own part of a manifest.
        files: name of each end's file.
        transmitter: loads that half: (checkpoint, engine, threads) -> TransmitterHalf.
        receiver: loads that half: (checkpoint, engine, device, threads) -> ReceiverHalf.
        check: checks the content of an end's file without running it: (manifest, end, content).
        engines: engines that its halves support.
        systems: titles of its systems in reports by their names in manifests, in order.
    """

    name: str
    title: str
    architecture: type[BaseModel]
    files: Mapping[End, str]
    transmitter: str
    receiver: str
    check: str | None = None
    engines: tuple[Engine, ...] = get_args(Engine)
    systems: Mapping[str, str] = field(default_factory=dict)

    def load_transmitter(
        self, checkpoint: Checkpoint, *, engine: Engine, threads: int
    ) -> TransmitterHalf:
        """Load the transmitting half, ready for use.

        Raises:
            CheckpointError: what it holds is damaged, does not fit, or computes nothing useful.
            ConfigurationError: a package that it needs is missing, or it has no such engine."""
        self.check_engine(checkpoint.folder.name, engine, setting="engine")
        load: LoadTransmitter = named(self.transmitter)
        return load(checkpoint, engine, threads)

    def load_receiver(
        self, checkpoint: Checkpoint, *, engine: Engine, device: str, threads: int
    ) -> ReceiverHalf:
        """Load the receiving half, ready for use.

        Raises:
            CheckpointError: what it holds is damaged, does not fit, or computes nothing useful.
            ConfigurationError: a package that it needs is missing, or it does not support the
                engine or the device.
        """
        self.check_engine(checkpoint.folder.name, engine, setting="receiver_engine")
        load: LoadReceiver = named(self.receiver)
        return load(checkpoint, engine, device, threads)

    def check_engine(self, codec: str, engine: Engine, *, setting: str) -> None:
        """Check that halves of this family support an engine.

        Args:
            codec: name of the codec, for messages.
            engine: requested engine.
            setting: key of that half's engine in a scenario.

        Raises:
            ConfigurationError: they cannot.
        """
        if engine not in self.engines:
            able = " or ".join(self.engines)
            raise ConfigurationError(
                f"codec {codec} is of the family {self.name}: set {setting}: {able}"
            )

    def check_content(self, manifest: Any, end: End, content: bytes) -> None:
        """Check the content of an end's file without running a network.

        Raises:
            CheckpointError: it does not agree with the manifest.
        """
        if self.check is not None:
            named(self.check)(manifest, end, content)
