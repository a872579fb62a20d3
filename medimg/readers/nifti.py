"""Read NIfTI-1 and NIfTI-2 files (.nii, .nii.gz)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from medimg.readers import _blocks
from medimg.readers._blocks import LPS_FROM_RAS, Block
from medimg.readers._unpack import BlockError, first_bytes
from medimg.values import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from medimg.values import Series, Volume

SCALE_LIMIT = 1e12  # quantitative maps may have tiny units, but float32 ends at 1e38
FORM_TOLERANCE_MM = 1e-2  # sform and qform differ by float32 rounding below this
SPACING_TOLERANCE = 0.01  # share by which the affine's steps and pixdim may differ
HALF_TURN = 1e-6  # of 1 - (b^2 + c^2 + d^2), the square of a; nifti1_io takes a as 0 there as well
HEADER_BYTES = 544  # of NIfTI-2, with the extension flag
KINDS = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
NOT_READ = {
    1: "bits",
    32: "complex numbers",
    128: "colours",
    1536: "long floats",
    1792: "complex numbers",
    2048: "complex numbers",
    2304: "colours",
}
MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 1e-3}  # by the space unit's code: unknown, metre, millimetre, micrometre


def claims(head: bytes) -> bool:
    """Say whether a file that begins with `head` (inflated) is NIfTI, or its ancestor Analyze (which is refused in words)."""
    if head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0"):
        return True
    order = {b"\x5c\x01\0\0": "<", b"\0\0\x01\x5c": ">"}.get(head[:4])
    return order is not None and len(head) >= 348 and 1 <= struct.unpack_from(order + "h", head, 40)[0] <= 7


def scan(paths: Iterable[Path]) -> Iterator[Series]:
    """Describe each file from its header alone; every volume of a file of several is a series."""
    for path in paths:
        yield from _blocks.describe(path, "nifti", parse)


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
    with path.open("rb", buffering=0) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        head = first_bytes(file, "gzip", HEADER_BYTES) if packed else file.read(HEADER_BYTES)
    second = head[4:8] in (b"n+2\0", b"ni2\0")
    if head[344:348] == b"ni1\0" or head[4:8] == b"ni2\0":
        raise BlockError("header-pair", "is the header of a pair of files (.hdr, .img); convert it to one .nii file")
    if not second and head[344:348] != b"n+1\0":
        raise BlockError(
            "analyze", "is Analyze 7.5, which does not say left from right; convert it with what knows how it was made"
        )
    if len(head) < (544 if second else 352):
        raise BlockError("truncated", "is cut short in its header")
    order = "<" if struct.unpack_from("<i", head)[0] in (348, 540) else ">"
    fields = _second(head, order) if second else _first(head, order)
    dims, code = fields["dims"], fields["kind"]
    if not 1 <= dims[0] <= 7 or any(size < 1 for size in dims[1 : dims[0] + 1]):
        raise BlockError("no-size", "has no voxels: its dimensions are not above 0")
    sizes = [*dims[1 : dims[0] + 1], 1, 1, 1, 1][:7]
    if any(size != 1 for size in sizes[4:]):
        raise BlockError("vectors", "holds several values a voxel (five dimensions), which is no scan")
    if code not in KINDS:
        raise BlockError("bad-kind", f"holds {NOT_READ.get(code, 'voxels of an unknown kind')}, which is no scan")
    block = Block(
        path=path,
        kind=np.dtype(order + KINDS[code]),
        shape=(sizes[3], sizes[2], sizes[1], sizes[0]),
        affine=np.eye(4),
        offset=_offset(fields["offset"], second),
        packing="gzip-all" if packed else "",
    )
    _scale(block, fields)
    block.affine = LPS_FROM_RAS @ _affine(block, fields)
    return block


def _first(head: bytes, order: str) -> dict:  # type: ignore[type-arg]
    of = struct.Struct
    return {
        "dims": of(order + "8h").unpack_from(head, 40),
        "kind": of(order + "h").unpack_from(head, 70)[0],
        "pixdim": of(order + "8f").unpack_from(head, 76),
        "offset": of(order + "f").unpack_from(head, 108)[0],
        "scale": of(order + "2f").unpack_from(head, 112),
        "units": head[123],
        "codes": of(order + "2h").unpack_from(head, 252),
        "quatern": of(order + "6f").unpack_from(head, 256),
        "srow": of(order + "12f").unpack_from(head, 280),
    }


def _second(head: bytes, order: str) -> dict:  # type: ignore[type-arg]
    of = struct.Struct
    return {
        "dims": of(order + "8q").unpack_from(head, 16),
        "kind": of(order + "h").unpack_from(head, 12)[0],
        "pixdim": of(order + "8d").unpack_from(head, 104),
        "offset": of(order + "q").unpack_from(head, 168)[0],
        "scale": of(order + "2d").unpack_from(head, 176),
        "units": of(order + "i").unpack_from(head, 500)[0] & 0xFF,
        "codes": of(order + "2i").unpack_from(head, 344),
        "quatern": of(order + "6d").unpack_from(head, 352),
        "srow": of(order + "12d").unpack_from(head, 400),
    }


def _offset(said: float, second: bool) -> int:
    least = 544 if second else 352
    if not np.isfinite(said) or said < 0 or said > 1 << 40 or said != int(said):
        raise BlockError("bad-offset", "says that its voxels begin at no place in the file")
    return max(int(said), least) if said else least


def _scale(block: Block, fields: dict) -> None:  # type: ignore[type-arg]
    """Take scl_slope and scl_inter; a slope of 0 or none means that values are as stored."""
    slope, intercept = (float(value) for value in fields["scale"])
    if slope == 0 or not np.isfinite(slope):
        return
    if not np.isfinite(intercept):
        raise BlockError("bad-rescale", "has a scl_inter that is no number")
    if abs(slope) > SCALE_LIMIT or abs(intercept) > SCALE_LIMIT:
        raise BlockError("bad-rescale", "has a scl_slope or scl_inter that makes values no scanner measures")
    block.slope, block.intercept = slope, intercept


def _affine(block: Block, fields: dict) -> NDArray[np.float64]:  # type: ignore[type-arg]
    """Return index (column, row, slice) to RAS mm by the form that counts, and note what disagrees."""
    qcode, scode = fields["codes"]
    pixdim = np.array(fields["pixdim"][1:4], float)
    flat = np.array([*fields["dims"][1:4], 1, 1, 1])[:3] <= 1  # along these axes there is one voxel, of whatever size
    flat |= np.arange(3) >= fields["dims"][0]
    unsized = flat & ~(np.isfinite(pixdim) & (pixdim > 0))
    pixdim[unsized] = 1.0
    sform = np.vstack([np.array(fields["srow"], float).reshape(3, 4), (0, 0, 0, 1)]) if scode > 0 else None
    qform = _qform(fields, pixdim) if qcode > 0 else None
    if sform is not None:
        unsized = _with_normals(sform, flat)
    if unsized.any():
        words = "There is one slice and its thickness is not told; 1 mm is taken, so volumes are not to be trusted."
        block.note("no-thickness", Verdict.REPAIRED, words)
    if sform is not None and not _spans(sform):
        if qform is None:
            raise BlockError("bad-affine", "has an sform whose axes span no volume")
        block.note("bad-sform", Verdict.REPAIRED, "Its sform spans no volume; the qform places it.")
        sform = None
    if sform is not None and qform is not None and _furthest(sform, qform, block.shape) > FORM_TOLERANCE_MM:
        far = _furthest(sform, qform, block.shape)
        block.note(
            "forms-disagree", Verdict.NOTED, f"The sform places it; the qform would place it up to {far:.3g} mm elsewhere."
        )
    affine = sform if sform is not None else qform
    if affine is None:
        if qcode > 0:
            raise BlockError("bad-affine", "has a qform that is no rotation, and no sform")
        if not (np.isfinite(pixdim).all() and (pixdim > 0).all()):
            raise BlockError("bad-spacing", "has neither sform nor qform, nor voxel sizes above 0")
        block.note(
            "no-orientation",
            Verdict.REPAIRED,
            "It does not say how it lies in the patient (no sform, no qform); x is taken as right.",
        )
        affine = np.diag([*pixdim, 1.0])
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    if sform is not None and (np.abs(steps - np.abs(pixdim)) > SPACING_TOLERANCE * steps).any():
        told = " x ".join(f"{value:.4g}" for value in pixdim)
        block.note("spacing-disagrees", Verdict.NOTED, f"The sform's voxel sizes are taken; pixdim says {told} mm.")
    unit = MM.get(fields["units"] & 7, 1.0)
    if unit != 1:
        block.note("units", Verdict.NOTED, f"Its lengths are not in millimetres; they were multiplied by {unit:g}.")
        affine = np.diag([unit, unit, unit, 1.0]) @ affine
    return affine


def _qform(fields: dict, pixdim: NDArray[np.float64]) -> NDArray[np.float64] | None:  # type: ignore[type-arg]
    """Return the quaternion's affine (NIfTI-1 standard, method 2), None if it is no rotation."""
    b, c, d, *shift = (float(value) for value in fields["quatern"])
    rest = 1 - (b * b + c * c + d * d)
    if not np.isfinite([b, c, d, *shift, *pixdim]).all() or rest < -1e-3 or (pixdim <= 0).any():
        return None
    if rest < HALF_TURN:
        rest = 0.0  # what is left of float32 numbers, of which a root would make a turn of its own
    length = np.sqrt(rest + b * b + c * c + d * d)
    a, b, c, d = np.sqrt(rest) / length, b / length, c / length, d / length
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    flip = -1.0 if fields["pixdim"][0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = turn * (pixdim * (1, 1, flip))
    affine[:3, 3] = shift
    return affine


def _with_normals(affine: NDArray[np.float64], flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Give an axis of one voxel that has no direction the one across the others, 1 mm long; return which had none."""
    missing = flat & ~affine[:3, :3].any(axis=0)
    if missing.sum() == 1:
        axis = int(np.argmax(missing))
        across = np.cross(affine[:3, (axis + 1) % 3], affine[:3, (axis + 2) % 3])
        length = np.linalg.norm(across)
        affine[:3, axis] = across / length if length else 0
    return missing


def _spans(affine: NDArray[np.float64]) -> bool:
    if not np.isfinite(affine).all():
        return False
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    return bool(steps.min() > 0 and abs(np.linalg.det(affine[:3, :3])) > 1e-6 * steps.prod())


def _furthest(one: NDArray[np.float64], other: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """Return how far apart two affines put the corners of a block."""
    slices, rows, columns = shape[1:]
    corners = np.array([(x, y, z, 1) for x in (0, columns - 1) for y in (0, rows - 1) for z in (0, slices - 1)], float)
    return float(np.linalg.norm((corners @ one.T - corners @ other.T)[:, :3], axis=1).max())
