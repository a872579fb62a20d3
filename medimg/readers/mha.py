"""Read MetaImage files (.mha, and .mhd with a data file beside it)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from medimg.readers import _blocks
from medimg.readers._beside import beside
from medimg.readers._blocks import Block
from medimg.readers._unpack import BlockError
from medimg.values import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medimg.values import Series, Volume

HEADER_LIMIT = 1 << 20  # bytes; real headers have under a kB
UNIT_TOLERANCE = 1e-2  # length of a direction: two decimals are all that some writers give
UNITS_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3, "?": 1.0, "": 1.0}
KINDS = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
LINE = re.compile(rb"\s*([A-Za-z]+)\s*=\s*(.*?)\s*$")


def claims(head: bytes) -> bool:
    """Say whether a file that begins with `head` is a MetaImage: lines of `Name = value`, NDims among the first."""
    return bool(re.match(rb"\s*(Comment|ObjectType|NDims)\s*=", head)) and b"NDims" in head


def scan(paths: Iterable[Path]) -> Iterator[Series]:
    """Describe each file from its header alone."""
    for path in paths:
        yield from _blocks.describe(path, "mha", parse)


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
    if fields.get("ObjectType", "Image") != "Image" or fields.get("NDims") != "3":
        raise BlockError("dimensions", "does not have the three dimensions of a scan")
    if fields.get("ElementNumberOfChannels", "1") != "1":
        raise BlockError("vectors", "holds several values a voxel, which is no scan")
    if not _true(fields, "BinaryData", "True"):  # who leaves it out means so
        raise BlockError("bad-encoding", "holds its voxels as text, which is not read here")
    kind = KINDS.get(fields.get("ElementType", ""))
    if kind is None:
        raise BlockError("bad-kind", "holds voxels of a kind that is no number")
    sizes = [int(word) for word in fields.get("DimSize", "").split() if re.fullmatch(r"\d{1,9}", word)]
    if len(sizes) != 3:
        raise BlockError("no-size", "does not say how many voxels it has")
    big = _true(fields, "BinaryDataByteOrderMSB") or _true(fields, "ElementByteOrderMSB")
    name = fields["ElementDataFile"]
    is_local = name.upper() == "LOCAL"
    data = path if is_local else beside(path, name)
    block = Block(
        path=data,
        kind=np.dtype((">" if big else "<") + kind),
        shape=(1, sizes[2], sizes[1], sizes[0]),
        affine=np.eye(4),
        offset=offset if is_local else 0,
        packing="zlib" if _true(fields, "CompressedData") else "",
        header=path,
    )
    _skip(block, fields)
    _place(block, fields)
    return block


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Return the header's fields, and where the data begins: behind the line ElementDataFile, which ends the header."""
    with path.open("rb", buffering=0) as file:
        head = file.read(HEADER_LIMIT)
    fields: dict[str, str] = {}
    at = 0
    while at < len(head):
        end = head.find(b"\n", at)
        end = len(head) if end < 0 else end
        found = LINE.match(head[at:end])
        at = end + 1
        if not found:
            continue
        name = found.group(1).decode("ascii")
        fields[name] = found.group(2).decode("utf-8", "surrogateescape")
        if name == "ElementDataFile":
            return fields, at
    raise BlockError("truncated", "is cut short in its header")


def _true(fields: dict[str, str], name: str, unsaid: str = "False") -> bool:
    return fields.get(name, unsaid).lower() in ("true", "1")


def _skip(block: Block, fields: dict[str, str]) -> None:
    said = fields.get("HeaderSize", "0")
    if said == "-1" and not block.packing:
        voxels = int(np.prod(block.shape, dtype=object))
        block.offset = block.path.stat().st_size - voxels * block.kind.itemsize
    elif re.fullmatch(r"\d{1,12}", said):
        block.offset += int(said)
    else:
        block.offset = -1
    if block.offset < 0:
        raise BlockError("bad-offset", "says that its voxels begin at no place in the file")


def _place(block: Block, fields: dict[str, str]) -> None:
    """Set index (column, row, slice) to LPS mm: a row of TransformMatrix is the direction of an axis of the array."""
    turn = _numbers(fields, ("TransformMatrix", "Rotation", "Orientation"), 9)
    shift = _numbers(fields, ("Offset", "Position", "Origin"), 3)
    steps = _numbers(fields, ("ElementSpacing", "ElementSize"), 3)
    if steps is None:
        raise BlockError("no-spacing", "does not say how large its voxels are (ElementSpacing)")
    if min(steps) <= 0:
        raise BlockError("bad-spacing", "has an ElementSpacing that is not above 0")
    if turn is None or shift is None:
        what = "its directions" if turn is None else "where it lies"
        block.note(
            "no-orientation",
            Verdict.REPAIRED,
            f"It does not say {what}; the axes left, posterior, superior and origin 0 are taken.",
        )
    lengths = np.linalg.norm(np.reshape(turn, (3, 3)), axis=1) if turn is not None else np.ones(3)
    if (np.abs(lengths - 1) > UNIT_TOLERANCE).any():
        raise BlockError("bad-affine", "has a TransformMatrix whose rows are no unit vectors, so its voxels' size is told twice")
    unit = fields.get("DistanceUnits", "mm").strip().lower()
    if unit not in UNITS_MM:
        raise BlockError("units", "tells its lengths in a unit that is not known (DistanceUnits)")
    if UNITS_MM[unit] != 1:
        block.note("units", Verdict.NOTED, f"Its lengths are not in millimetres; they were multiplied by {UNITS_MM[unit]:g}.")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(turn or np.eye(3).ravel().tolist(), (3, 3)).T * steps
    affine[:3, 3] = shift or (0, 0, 0)
    block.affine = np.diag([*(UNITS_MM[unit],) * 3, 1.0]) @ affine


def _numbers(fields: dict[str, str], names: tuple[str, ...], count: int) -> list[float] | None:
    said = next((fields[name] for name in names if name in fields), None)
    if said is None:
        return None
    try:
        values = [float(word) for word in said.split()]
    except ValueError as error:
        raise BlockError("bad-affine", "has a place or direction that is no number") from error
    if len(values) != count or not np.isfinite(values).all():
        raise BlockError("bad-affine", "has a place or direction that is not finite numbers")
    return values
