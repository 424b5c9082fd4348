"""Check an archive of `torch.export` before torch reads it: only operators and arrays are allowed.

torch trusts these files: it unpickles what an archive marks as pickled, looks up whatever name a
node's target states, evaluates the text of symbolic sizes and of guards. A codec of unknown origin
could therefore run code. Only what `semcom.families` writes is accepted: plain arrays, ATen
operators and integer arithmetic on sizes.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from semcom.errors import CheckpointError

MAX_ENTRIES = 20_000
MAX_UNPACKED_BYTES = 4 << 30
MAX_JSON_BYTES = 64 << 20
GRAPH = "models/model.json"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
SAMPLE = "data/sample_inputs/model.pt"
ENTRIES = re.compile(
    r"data/weights/weight_\d+|data/constants/tensor_\d+|archive_format|archive_version|byteorder"
    r"|\.data/(version|serialization_id)"
)
TARGETS = re.compile(
    r"torch\.ops\.(aten|prims)\.(?!from_file|_print)[a-z_][a-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|torch\.sym_(int|float|max|min|not|ite|sum)|math\.(ceil|floor|trunc)"
)
SIZE_WORDS = re.compile(
    r"[su]\d+|zuf\d+|FloorDiv|PythonMod|Mod|CleanDiv|CeilToInt|FloorToInt|TruncToInt|Max|Min"
    r"|IntTrueDiv|ToFloat|Eq|Ne|Lt|Le|Gt|Ge|True|False|int_oo|oo"
    r"|Symbol|Integer|Rational|Add|Mul|Pow|positive|nonnegative|integer|real"
)
SIZE_TEXT = re.compile(r"[A-Za-z0-9_ +\-*/(),<>=.']{0,500}")
PLAIN = re.compile(r"[\w.:+\-]{0,300}", re.ASCII)
SPEC_TYPES = ("builtins.tuple", "builtins.list", "builtins.dict", None)
# Raised by damage, nesting, passwords, unknown compression and other forms of JSON.
READING_FAILS = (
    zipfile.BadZipFile, OSError, ValueError, KeyError, EOFError, RuntimeError, TypeError,
    AttributeError,
)  # fmt: skip
# The pickle of ((), {}): no example inputs.
NO_SAMPLE = b"\x80\x02)}q\x00\x86q\x01."


def check_program(content: bytes) -> bytes:
    """Accept only what torch can load without running anything except operators.

    Returns:
        The archive, rewritten from the checked files: torch reads archives with another library,
        which may find different files in the same bytes.

    Raises:
        CheckpointError: it is not such an archive, or contains something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_archive(archive)
            return packed({name: archive.read(name) for name in archive.namelist()})
    except READING_FAILS as error:
        raise CheckpointError(f"is not a program of torch.export: {_line(error)}") from error


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of files without times, so that equal files give equal bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return written.getvalue()


def empty_sample() -> bytes:
    """Return empty example inputs, as `torch.save` writes them."""
    files = {"data.pkl": NO_SAMPLE, "byteorder": b"little", "version": b"3\n"}
    return packed({f"archive/{name}": content for name, content in files.items()})


def without_origin(graph: Any) -> Any:
    """Return a program's graph without traces of its origin: paths, lines, module names."""
    if isinstance(graph, dict):
        return {
            key: {} if key == "metadata" else without_origin(value) for key, value in graph.items()
        }
    return [without_origin(each) for each in graph] if isinstance(graph, list) else graph


def _check_archive(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES or sum(each.file_size for each in entries) > MAX_UNPACKED_BYTES:
        raise CheckpointError("is a program that unpacks to more than the allowed size")
    names = [each.filename for each in entries]
    if len(set(names)) != len(names):
        raise CheckpointError("contains a file twice")
    found = {name.partition("/")[2]: name for name in names}
    if len(found) != len(names) or len({name.partition("/")[0] for name in names}) != 1:
        raise CheckpointError("holds files outside of one folder")
    for inner, name in found.items():
        if inner == SAMPLE:
            _check_sample(archive.read(name))
        elif inner not in (GRAPH, *CONFIGS) and not ENTRIES.fullmatch(inner):
            raise CheckpointError(f"holds {_line(inner)}, which a codec's program does not need")
    for config in CONFIGS:
        for key, entry in _json(archive, found[config])["config"].items():
            kind = str(entry["path_name"])
            if entry["use_pickle"] or not ENTRIES.fullmatch(f"{config.rpartition('/')[0]}/{kind}"):
                raise CheckpointError(f"holds {_line(key)} as a pickle, which could run code")
    _check_graph(_json(archive, found[GRAPH]))


def _check_sample(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        pickles = [each for each in archive.namelist() if each.endswith(".pkl")]
        if len(pickles) != 1 or archive.read(pickles[0]) != NO_SAMPLE:
            raise CheckpointError("holds example inputs, which could run code")


def _check_graph(graph: Any) -> None:
    if graph.get("guards_code"):
        raise CheckpointError("holds guards, which are code")
    for key, value in _texts(graph, ""):
        if key == "target":
            fine = TARGETS.fullmatch(value) is not None
        elif key == "expr_str":
            words = re.findall(r"[A-Za-z_]\w*", value)
            fine = SIZE_TEXT.fullmatch(value) is not None
            fine &= all(SIZE_WORDS.fullmatch(word) for word in words)
        elif key in ("in_spec", "out_spec"):
            fine = _is_plain_spec(json.loads(value))
        else:
            fine = PLAIN.fullmatch(value) is not None
        if not fine:
            raise CheckpointError(
                f"has {_line(value)!r} as a {_line(key) or 'key'}; a codec's program holds "
                f"only operators of ATen and arrays: write it with rkd_sc.export_codec"
            )


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield every text of a graph with its key, and every key with none."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, key)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield "", name
            yield from _texts(each, name)


def _is_plain_spec(spec: Any) -> bool:
    if isinstance(spec, list):
        return all(isinstance(each, int) or _is_plain_spec(each) for each in spec)
    if not isinstance(spec, dict):
        return spec is None
    children = spec.get("children_spec", [])
    return spec.get("type") in SPEC_TYPES and all(map(_is_plain_spec, children))


def _json(archive: zipfile.ZipFile, name: str) -> Any:
    if archive.getinfo(name).file_size > MAX_JSON_BYTES:
        raise CheckpointError(f"holds {_line(name)} of more than {MAX_JSON_BYTES} bytes")
    return json.loads(archive.read(name))


def _line(text: object) -> str:
    return " ".join(str(text).split())[:100]
