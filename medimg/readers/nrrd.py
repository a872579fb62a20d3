"""Read NRRD files (.nrrd, and .nhdr with a data file beside it)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from medimg.readers import _blocks
from medimg.readers._beside import beside
from medimg.readers._blocks import LPS_FROM_RAS, Block
from medimg.readers._unpack import BlockError
from medimg.values import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from medimg.values import Series, Volume

HEADER_LIMIT = 1 << 20  # bytes; real headers have a few kB
KINDS = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
PACKINGS = {"raw": "", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
LPS_FROM = {
    "left-posterior-superior": np.eye(4),
    "lps": np.eye(4),
    "right-anterior-superior": LPS_FROM_RAS,
    "ras": LPS_FROM_RAS,
    "left-anterior-superior": np.diag([1.0, -1.0, 1.0, 1.0]),
    "las": np.diag([1.0, -1.0, 1.0, 1.0]),
}
VECTOR = re.compile(r"\(([^()]*)\)|none")


def claims(head: bytes) -> bool:
    """Say whether a file that begins with `head` is NRRD."""
    return head.startswith(b"NRRD000")


def scan(paths: Iterable[Path]) -> Iterator[Series]:
    """Describe each file from its header alone."""
    for path in paths:
        yield from _blocks.describe(path, "nrrd", parse)


def read(series: Series) -> tuple[Volume, Series]:
    """Read the voxels of a series that `scan` described.

    Raises:
        ScanError: the file changed or is damaged.
    """
    return _blocks.read(series, parse)


def parse(path: Path) -> Block:
    """Parse a header.

    Raises:
        BlockError: the file is not read, and why.
    """
    fields, offset = _fields(path)
    sizes = _integers(fields, "sizes")
    dimension = len(sizes)
    if fields.get("dimension") != str(dimension) or dimension not in (3, 4):
        raise BlockError("dimensions", "does not have the three dimensions of a scan")
    names = [kind for kind, spellings in KINDS.items() if fields.get("type", "").lower() in spellings]
    if not names:
        raise BlockError("bad-kind", "holds voxels of a kind that is no number")
    packing = PACKINGS.get(fields.get("encoding", "").lower())
    if packing is None:
        raise BlockError("bad-encoding", "is encoded in a way that is not read here; save it raw or gzip")
    kind = np.dtype(names[0])
    if kind.itemsize > 1:
        if fields.get("endian", "").lower() not in ("little", "big"):
            raise BlockError("no-endian", "does not say which byte of a voxel comes first")
        kind = kind.newbyteorder("<" if fields["endian"].lower() == "little" else ">")
    data = beside(path, fields["data file"]) if "data file" in fields else path
    block = Block(path=data, kind=kind, shape=(1, 1, 1, 1), affine=np.eye(4), packing=packing, header=path)
    block.offset = offset if data is path else 0
    _skips(block, fields)
    space, sizes = _directions(fields, sizes)
    block.shape = (1, sizes[2], sizes[1], sizes[0])
    if block.offset < 0:
        block.offset = data.stat().st_size - int(np.prod(sizes, dtype=object)) * kind.itemsize
        if block.offset < 0:
            raise BlockError("truncated", "is cut short: it has fewer bytes than its header says")
    name = fields.get("space", "").lower()
    if name not in LPS_FROM:
        if name:
            raise BlockError("unknown-space", "places its voxels in a space that is not the patient's")
        block.note("no-space", Verdict.REPAIRED, "It does not name its space; its axes are taken as left, posterior, superior.")
    units = fields.get("space units", "").lower()
    if set(units.replace('"', " ").split()) - {"mm", "millimeter", "millimetre"}:
        raise BlockError("units", "gives its lengths in something other than millimetres")
    block.affine = LPS_FROM.get(name, np.eye(4)) @ space
    return block


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Return the header's fields (the last of a name counts) and where the data begins."""
    with path.open("rb", buffering=0) as file:
        head = file.read(HEADER_LIMIT)
    fields: dict[str, str] = {}
    at = 0
    while True:
        end = head.find(b"\n", at)
        if end < 0:
            if len(head) < HEADER_LIMIT and "data file" in fields:
                break  # a detached header need not end with an empty line
            raise BlockError("truncated", "is cut short in its header")
        line = head[at:end].rstrip(b"\r").decode("ascii", "replace")
        at = end + 1
        if not line:
            break
        name, colon, value = line.partition(": ")
        if colon and not line.startswith("#"):
            name = name.strip().lower()
            fields[{"datafile": "data file", "lineskip": "line skip", "byteskip": "byte skip"}.get(name, name)] = value.strip()
    return fields, at


def _integers(fields: dict[str, str], name: str) -> list[int]:
    words = fields.get(name, "").split()
    if not words or not all(re.fullmatch(r"\d{1,9}", word) for word in words):
        raise BlockError("no-size", "does not say how many voxels it has")
    return [int(word) for word in words]


def _skips(block: Block, fields: dict[str, str]) -> None:
    lines, count = fields.get("line skip", "0"), fields.get("byte skip", "0")
    if not re.fullmatch(r"\d{1,6}", lines) or not re.fullmatch(r"-1|\d{1,12}", count):
        raise BlockError("bad-offset", "says that its voxels begin at no place in the file")
    if int(lines):
        with block.path.open("rb") as file:
            file.seek(block.offset)
            for _ in range(int(lines)):
                file.readline(HEADER_LIMIT)
            block.offset = file.tell()
    if count == "-1" and block.packing:
        raise BlockError("bad-offset", "says that its packed voxels are counted from the end")
    if count != "0" and block.packing:
        raise BlockError("bad-offset", "says that voxels begin inside of packed data, which is not read here")
    block.offset = -1 if count == "-1" else block.offset + int(count)


def _directions(fields: dict[str, str], sizes: list[int]) -> tuple[NDArray[np.float64], list[int]]:
    """Return index (column, row, slice) to the file's space, and the three sizes in the patient."""
    vectors = [_vector(found) for found in VECTOR.finditer(fields.get("space directions", ""))]
    if len(vectors) != len(sizes):
        raise BlockError("no-directions", "does not say how its axes lie in the patient (space directions)")
    spatial = [axis for axis, vector in enumerate(vectors) if vector is not None]
    if len(spatial) != 3 or any(sizes[axis] != 1 for axis in range(len(sizes)) if axis not in spatial):
        raise BlockError("vectors", "holds several values a voxel or several volumes, which is no single scan")
    origin = VECTOR.fullmatch(fields.get("space origin", ""))
    place = _vector(origin) if origin else None
    if place is None:
        raise BlockError("no-origin", "does not say where it lies in the patient (space origin)")
    affine = np.eye(4)
    affine[:3, :3] = np.array([vectors[axis] for axis in spatial]).T
    affine[:3, 3] = place
    return affine, [sizes[axis] for axis in spatial]


def _vector(found: re.Match[str]) -> list[float] | None:
    if found.group(0) == "none":
        return None
    try:
        values = [float(word) for word in found.group(1).split(",")]
    except ValueError as error:
        raise BlockError("bad-affine", "has a direction or origin that is no number") from error
    if len(values) != 3 or not np.isfinite(values).all():
        raise BlockError("bad-affine", "has a direction or origin that is not three finite numbers")
    return values
