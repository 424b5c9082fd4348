"""A family: what its codecs are made of, and where their two halves are loaded from.

Shape legend: N items of a frame, K complex symbols of a codeword, M columns of channel state,
U users of a slot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from semcom.codec_arrays import End
from semcom.errors import ConfigurationError
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
        """Decode one forward pass: complex64 (N, K) -> what the task makes answers of, float32.

        Its shape is (N, *task.output_shape): logits, or pixels of 0..1.
        """
        ...


class VariableLengthTransmitterHalf(TransmitterHalf, Protocol):
    """The transmitting half of a codec whose manifest says `variable_length`."""

    def used_symbols(self, items: npt.NDArray[Any]) -> Used:
        """Return how many symbols of each codeword are sent: uint16 (N,), at most K.

        The symbols of a codeword after them are 0; its mean |z|^2 is at most 1 over them.
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

        Any number from 0 to K may come, whatever the transmitting half sends.
        """
        ...


class JointTransmitterHalf(TransmitterHalf, Protocol):
    """The transmitting half of users who send in one slot."""

    def as_user(self, user: int) -> TransmitterHalf:
        """Return what one of them sends with; `user` is his place among the slot's links.

        Links are in ascending order of their names, as the sums of the slot are.
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
        """Decode slots: complex64 (N, K) -> what each user sent, float32 (U, N, *output_shape).

        `csi_NU` are the gains h_u of the users in the order of the sum, without their powers; None
        where nothing fades. `snr_db_N` is against the total power of the slot.
        """
        ...


def used_of(codec: TransmitterHalf, manifest: AnyManifest, items: npt.NDArray[Any]) -> bytes:
    """Return what the frame of some items states as `used`."""
    if not manifest.variable_length or isinstance(manifest.task, OrderedClassification):
        return b""  # of ordered codewords the point decides
    used_N = cast(VariableLengthTransmitterHalf, codec).used_symbols(items)
    return format_used(used_N, manifest.symbols)


LoadTransmitter = Callable[["Checkpoint", Engine, int], TransmitterHalf]
LoadReceiver = Callable[["Checkpoint", Engine, str, int], ReceiverHalf]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family as the running system uses it.

    Code is named as `module:attribute`, so that each process imports only the half it runs.

    Attributes:
        name: what manifests say.
        title: for people.
        architecture: checks the part of a manifest that is the family's own.
        files: what the file of each end is called.
        transmitter: loads that half: (checkpoint, engine, threads) -> TransmitterHalf.
        receiver: loads that half: (checkpoint, engine, device, threads) -> ReceiverHalf.
        check: looks at the content of an end's file without running it: (manifest, end, content).
        engines: that its halves can compute with.
    """

    name: str
    title: str
    architecture: type[BaseModel]
    files: Mapping[End, str]
    transmitter: str
    receiver: str
    check: str | None = None
    engines: tuple[Engine, ...] = get_args(Engine)

    def load_transmitter(
        self, checkpoint: Checkpoint, *, engine: Engine, threads: int
    ) -> TransmitterHalf:
        """Load the transmitting half, ready for service.

        Raises:
            CheckpointError: what it holds is damaged, does not fit, or computes nothing useful.
            ConfigurationError: a package that it needs is missing, or it has no such engine.
        """
        self.check_engine(checkpoint.folder.name, engine, setting="engine")
        load: LoadTransmitter = named(self.transmitter)
        return load(checkpoint, engine, threads)

    def load_receiver(
        self, checkpoint: Checkpoint, *, engine: Engine, device: str, threads: int
    ) -> ReceiverHalf:
        """Load the receiving half, ready for service.

        Raises:
            CheckpointError: what it holds is damaged, does not fit, or computes nothing useful.
            ConfigurationError: a package that it needs is missing, or it has no such engine, or
                that none for the device.
        """
        self.check_engine(checkpoint.folder.name, engine, setting="receiver_engine")
        load: LoadReceiver = named(self.receiver)
        return load(checkpoint, engine, device, threads)

    def check_engine(self, codec: str, engine: Engine, *, setting: str) -> None:
        """See that halves of this family can compute with an engine.

        Args:
            codec: its name, for people.
            engine: what is asked for.
            setting: what a scenario calls the engine of that half.

        Raises:
            ConfigurationError: they cannot.
        """
        if engine not in self.engines:
            able = " or ".join(self.engines)
            raise ConfigurationError(
                f"codec {codec} is of the family {self.name}: set {setting}: {able}"
            )

    def check_content(self, manifest: Any, end: End, content: bytes) -> None:
        """Look at the content of an end's file, as far as that needs no network.

        Raises:
            CheckpointError: it is not what the manifest says.
        """
        if self.check is not None:
            named(self.check)(manifest, end, content)
