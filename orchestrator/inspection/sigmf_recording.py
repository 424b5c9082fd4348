"""Symbols of a link as SigMF recordings, for GNU Radio, `sigmf` and other readers.

    NAME.sent.sigmf-data, .sigmf-meta         codewords as sent, cf32_le
    NAME.received.sigmf-data, .sigmf-meta     the same samples after the channel
    NAME.sigmf-collection                     names both

A sample is a symbol; codewords follow each other by ascending SNR and then in the order of the
items. A capture begins with each point. Each codeword has an annotation with the fields of FIELDS.
The files contain no time of day, so equal runs give equal recordings.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.inspection.item_texts import heading
from orchestrator.inspection.items import Item, ItemAnswer
from orchestrator.inspection.run_items import Look
from semcom.errors import ConfigurationError, StorageError
from semcom.extras import needed_by
from semcom.files import is_there, write_atomically
from semcom.shipped import installed_version

NAMESPACE = "rkd_sc"
EXTENSION = {"name": NAMESPACE, "version": "1.0.0", "optional": True}
MAX_GAINS = 64  # columns of channel state in an annotation
FIELDS = {
    "item": "number of the item, from 0 in the order in which the link sent them",
    "index": "index in the test split of the data set",
    "point": "index into the points of the run's plan",
    "snr_db": "Es/N0 per complex symbol, dB",
    "codec": "name of the codec",
    "sent": "class or sentence sent; omitted for images without a class",
    "answer": "class or sentence answered; omitted for reconstructed images",
    "right": "whether the answer equals what was sent; omitted for reconstructed images",
    "metrics": "each metric of the task, for this item alone",
    "csi": "the receiver's channel state, a list of [real, imaginary]; omitted if it is empty or "
    f"has more than {MAX_GAINS} gains",
}
PARTS = ("sent", "received")


def write_recordings(look: Look, path: Path, *, sample_rate_hz: float) -> list[Path]:
    """Write both recordings of inspected items, and the collection; return the files.

    Args:
        look: items with their symbols.
        path: path of the files without extensions.
        sample_rate_hz: symbols per second; a run does not define the duration of a symbol.

    Raises:
        ConfigurationError: a file already exists, or `sigmf` is not installed.
        StorageError: the disk cannot be written.
    """
    with needed_by("semcom record", "sigmf"):
        from sigmf import SigMFCollection, SigMFFile
        from sigmf.error import SigMFError
    written = files_of(path)
    bases = [path.with_name(f"{path.name}.{part}") for part in PARTS]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for part, base in zip(PARTS, bases, strict=True):
            data = Path(f"{base}.sigmf-data")
            write_atomically(data, _samples(look, part))
            recording = SigMFFile(data_file=data, global_info=_global(look, part, sample_rate_hz))
            for start, count, item, answer in _codewords(look):
                if item is look.items[0]:
                    recording.add_capture(start, {f"{NAMESPACE}:snr_db": answer.snr_db})
                recording.add_annotation(start, count, _annotation(look, item, answer))
            recording.validate()
            write_atomically(Path(f"{base}.sigmf-meta"), recording.dumps(pretty=True).encode())
        names = [f"{base.name}.sigmf-meta" for base in bases]
        collection = SigMFCollection(names, base_path=path.parent)
        collection.set_collection_field("core:description", heading(look))
        write_atomically(written[-1], collection.dumps(pretty=True).encode())
    except SigMFError as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return written


def files_of(path: Path) -> list[Path]:
    """Return the files of recordings with a name.

    Raises:
        ConfigurationError: one of them already exists.
    """
    bases = [path.with_name(f"{path.name}.{part}") for part in PARTS]
    files = [Path(f"{base}.sigmf-{end}") for base in bases for end in ("data", "meta")]
    files.append(Path(f"{path}.sigmf-collection"))
    for each in files:
        if is_there(each):
            raise ConfigurationError(f"{each} already exists: choose another --out")
    return files


def _samples(look: Look, part: str) -> bytes:
    codewords = [getattr(answer, part) for _, _, _, answer in _codewords(look)]
    return np.concatenate(codewords).astype("<c8").tobytes()


def _codewords(look: Look) -> Iterator[tuple[int, int, Item, ItemAnswer]]:
    """Yield the start of each codeword, its number of symbols, its item and its answer."""
    start = 0
    for place in range(len(look.curve.points)):
        for item in look.items:
            answer = item.answers[place]
            yield start, len(answer.sent), item, answer
            start += len(answer.sent)


def _global(look: Look, part: str, sample_rate_hz: float) -> dict[str, Any]:
    curve = look.curve
    return {
        "core:datatype": "cf32_le",
        "core:sample_rate": sample_rate_hz,
        "core:description": f"{heading(look)}: symbols as {part}, one sample each",
        "core:recorder": f"rkd-sc {installed_version() or 'from a checkout'}",
        "core:extensions": [EXTENSION],
        f"{NAMESPACE}:run": look.run,
        f"{NAMESPACE}:link": curve.link,
        f"{NAMESPACE}:channel": curve.channel,
        f"{NAMESPACE}:seed": curve.seed,
        f"{NAMESPACE}:codec_digest": curve.codec.digest,
        f"{NAMESPACE}:dataset": look.dataset,
        f"{NAMESPACE}:task": look.task.kind,
    }


def _annotation(look: Look, item: Item, answer: ItemAnswer) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "item": item.number,
        "index": item.index,
        "point": answer.point,
        "snr_db": answer.snr_db,
        "codec": look.curve.codec.name,
        "sent": item.text,
        "answer": answer.text,
        "right": answer.right,
        "metrics": dict(answer.values),
    }
    if answer.csi is not None and len(answer.csi) <= MAX_GAINS:
        fields["csi"] = [[float(gain.real), float(gain.imag)] for gain in answer.csi]
    known = {f"{NAMESPACE}:{key}": value for key, value in fields.items() if value is not None}
    return {"core:label": f"item {item.number}", **known}
