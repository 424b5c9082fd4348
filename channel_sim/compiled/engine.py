"""The noise engine `numba`: arrays of numpy in, arrays of numpy out, by compiled kernels."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from channel_sim.channels import Codewords, Through, draw_key, snr_db
from channel_sim.compiled import layout
from channel_sim.compiled.machine_code import Program
from channel_sim.noise import PHASORS, WORDS_PER_BLOCK, ComplexArray, Items
from semcom.points import ChannelSettings, PointSpec
from semcom.used_symbols import parse_used
from semcom.wire import Powers, Symbols

RECORDS_REMEMBERED = 4096
FADING = {"awgn": layout.NO_FADING, "rayleigh": layout.RAYLEIGH, "rician": layout.RICIAN}
CSI = {"none": layout.CSI_NONE, "perfect": layout.CSI_PERFECT, "mismatch": layout.CSI_MISMATCH}
NOWHERE = 0  # the address of what a call does not have


class Record:
    """Keys and settings of a link at a point, as a kernel reads them around the items' numbers."""

    def __init__(self, point: PointSpec, link: str, noise_link: str, amplitude: float) -> None:
        """Draw noise by the key of `noise_link`, and all else by that of `link`."""
        self.point = point
        channel = point.channel
        faded = isinstance(channel, ChannelSettings) and channel.model != "awgn"
        fading, coherence, csi, error, k = layout.NO_FADING, 1, layout.CSI_NONE, 0.0, 0.0
        if isinstance(channel, ChannelSettings) and faded:
            fading, coherence, csi = FADING[channel.model], channel.coherence, CSI[channel.csi]
            error, k = channel.csi_error_variance, channel.rician_k
        self._keys = layout.KEYS.pack(
            *draw_key(point, noise_link, "noise"),
            *(draw_key(point, link, "fading") if faded else (0, 0)),
            *(draw_key(point, link, "csi") if csi == layout.CSI_MISMATCH else (0, 0)),
        )
        scales = (point.noise_power, None, 1.0 / (k + 1.0), k / (k + 1.0), error)
        self._settings = layout.POINT.pack(
            fading,
            coherence,
            csi,
            *(amplitude if it is None else float(np.float32(np.sqrt(it))) for it in scales),
        )

    def of(self, frame: Codewords) -> bytes:
        """Return the record of a frame."""
        return self._keys + layout.ITEMS.pack(frame.first_image, frame.images) + self._settings


class Scratch(threading.local):
    """Memory that the kernels write into, of each thread."""

    def __init__(self) -> None:
        """Begin with none."""
        self._sizes = (0, 0, 0)
        self._arrays: tuple[object, ...] = ()
        self._addresses: tuple[int, ...] = ()

    def addresses(self, symbols: int, *, rows: int = 0, members: int = 1) -> tuple[int, ...]:
        """Return the addresses of words, floats, doubles and ints."""
        here = self._sizes
        words = symbols + WORDS_PER_BLOCK
        floats = 3 * symbols + 2 * max(1, rows * members)
        doubles = layout.STACK_SUMS + 2 * rows
        if not self._arrays or words > here[0] or floats > here[1] or doubles > here[2]:
            needed = (words, floats, doubles)
            self._sizes = (
                max(here[0], 1 << needed[0].bit_length()),
                max(here[1], 1 << needed[1].bit_length()),
                max(here[2], 1 << needed[2].bit_length()),
            )
            arrays = (
                np.empty(self._sizes[0], dtype=np.uint64),
                np.empty(self._sizes[1], dtype=np.float32),
                np.empty(self._sizes[2], dtype=np.float64),
                np.empty(layout.SCRATCH_INTS_NEEDED, dtype=np.int64),
            )
            self._arrays, self._addresses = arrays, tuple(_address(each) for each in arrays)
        return self._addresses


class CompiledEngine:
    """The arithmetic of the channel by compiled kernels: the bits of `NumpyEngine`."""

    def __init__(self, program: Program) -> None:
        """Call the kernels of a program."""
        self._program = program  # its code must stay in memory
        self._normals = program.kernel("normals")
        self._powers = program.kernel("powers")
        self._passage = program.kernel("passage")
        self._phasors = _address(PHASORS)
        self._scratch = Scratch()
        self._records: dict[tuple[int, str, str, float], Record] = {}

    def normals(self, parts: Sequence[Items], *, per_item: int) -> ComplexArray:
        """As `channel_sim.noise.complex_normals_of`: complex64 (all items, per_item)."""
        samples = np.empty((sum(part.number for part in parts), per_item), dtype=np.complex64)
        ranges = [layout.RANGE.pack(*part.key, part.first, part.number) for part in parts]
        call = layout.CALL.pack(
            len(parts), 1, len(samples), per_item, 0, NOWHERE, self._phasors, NOWHERE, NOWHERE,
            _address(samples), NOWHERE, NOWHERE, *self._scratch.addresses(per_item),
        )  # fmt: skip
        self._normals(call + b"".join(ranges))
        return samples

    def mean_power(self, symbols_BK: Symbols) -> Powers:
        """As `semcom.wire.mean_power`: float32 (B,)."""
        symbols_BK = np.ascontiguousarray(symbols_BK)
        rows, symbols = symbols_BK.shape
        power_B = np.empty(rows, dtype=np.float32)
        call = layout.CALL.pack(
            1, 1, rows, symbols, 0, NOWHERE, NOWHERE, _address(symbols_BK), _address(power_B),
            NOWHERE, NOWHERE, NOWHERE, *self._scratch.addresses(symbols),
        )  # fmt: skip
        self._powers(call)
        return power_B

    def through(
        self, frames: Sequence[Codewords], symbols_BK: ComplexArray, power_B: Powers
    ) -> Through:
        """As `channel_sim.channels.through_channels`."""
        records = [self._record(frame.point, frame.link).of(frame) for frame in frames]
        return self._pass(frames, b"".join(records), symbols_BK[None], power_B)

    def superposed(
        self,
        members: Sequence[Codewords],
        amplitudes: Sequence[float],
        symbols: Sequence[ComplexArray],
        *,
        noise_link: str,
    ) -> Through:
        """As `channel_sim.channels.superpose_channels`."""
        records = [
            self._record(member.point, member.link, noise_link, amplitude).of(member)
            for member, amplitude in zip(members, amplitudes, strict=True)
        ]
        return self._pass(members, b"".join(records), np.stack(symbols), None)

    def _pass(
        self,
        frames: Sequence[Codewords],
        records: bytes,
        sent_UBK: ComplexArray,
        power_B: Powers | None,
    ) -> Through:
        """Call the kernel; without the powers of signals, the frames are superposed."""
        members, rows, symbols = sent_UBK.shape
        superposed, count = power_B is None, 1 if power_B is None else len(frames)
        sent_UBK = np.ascontiguousarray(sent_UBK)
        received_BK = np.empty((rows, symbols), dtype=np.complex64)
        measured_F2 = np.empty((count, 2))
        csi_BU = power = used_B = None
        if power_B is not None:
            power = np.ascontiguousarray(power_B)
        if any(frame.has_csi for frame in frames):
            csi_BU = np.empty((rows, members), dtype=np.complex64)
        if any(frame.used for frame in frames):
            counts = [parse_used(it.used, rows=it.images, symbols=symbols) for it in frames]
            used_B = np.concatenate(counts)
        call = layout.CALL.pack(
            count,
            members,
            rows,
            symbols,
            superposed,
            _address(used_B),
            self._phasors,
            _address(sent_UBK),
            _address(power),
            _address(received_BK),
            _address(csi_BU),
            _address(measured_F2),
            *self._scratch.addresses(symbols, rows=rows, members=members),
        )
        self._passage(call + records)
        return Through(received_BK, csi_BU, [snr_db(*each) for each in measured_F2.tolist()])

    def _record(
        self, point: PointSpec, link: str, noise_link: str = "", amplitude: float = 1.0
    ) -> Record:
        """Return the record of a link at a point; by its place in memory, as hashing is slower."""
        name = (id(point), link, noise_link, amplitude)
        record = self._records.get(name)
        if record is None or record.point is not point:
            if len(self._records) >= RECORDS_REMEMBERED:
                self._records.clear()
            record = self._records[name] = Record(point, link, noise_link or link, amplitude)
        return record


def _address(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None) -> int:
    """Return where the memory of an array begins; `NOWHERE` of none."""
    if array is None:
        return NOWHERE
    found: int = array.__array_interface__["data"][0]
    return found
