"""What formats of one block of voxels (NIfTI, NRRD, MHA) share: checks, names, and reading the block piece by piece."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.identity import short_name
from medimg.errors import GeometryError, ScanError
from medimg.readers._unpack import BlockError, unpack
from medimg.values import Grid, Hazard, Series, SourceSlice, Verdict, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

PACKED_VOXELS_LIMIT = 1 << 29  # 512 x 512 x 2048; two megabytes of gzip can promise a thousand times their size
MOST_LEFT_OVER = 4096  # bytes after the voxels: padding to a disk's block; more is a sign of a wrong size or kind
VOXELS_LIMIT = 1 << 31  # 1024 x 1024 x 2048, 4 GiB as int16
MOST_PACKED = 1100  # deflate cannot make data smaller than 1/1032
BZIP2_MOST_PACKED = 50_000  # bzip2 can be far tighter on constant data
EXACT_FLOAT32 = 1 << 24  # whole numbers up to it are exact in float32
ROUNDED = "It holds whole numbers above 16,777,216, which are rounded: values are float32."
SAMPLES, SAMPLE_BYTES = 16, 16 << 10  # what a file's name is made from: blocks spread over it
VOLUMES_LIMIT = 512  # volumes in one file that are listed one by one
LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
REVERSE_AXES = np.eye(4)[[2, 1, 0, 3]]  # these formats count columns first, medimg slices


@dataclass
class Block:
    """A block of voxels as its header describes it.

    `affine` takes (column, row, slice) to LPS mm; `shape` is (volumes, slices, rows, columns).
    """

    path: Path
    kind: np.dtype[Any]
    shape: tuple[int, int, int, int]
    affine: NDArray[np.float64]
    offset: int = 0
    packing: str = ""  # "", "gzip", "zlib", "bzip2"; "gzip-all" where the header is packed too
    slope: float = 1.0
    intercept: float = 0.0
    header: Path | None = None  # the file that describes the block, if it is another one
    hazards: list[Hazard] = field(default_factory=list)

    def note(self, kind: str, verdict: Verdict, sentence: str) -> None:
        """Add a hazard."""
        self.hazards.append(Hazard(kind, verdict, sentence, (str(self.header or self.path),)))


def describe(path: Path, reader: str, parse: Callable[[Path], Block]) -> Iterator[Series]:
    """Describe the volumes of one file, or say why it is refused."""
    try:
        block = parse(path)
        check(block)
        volumes, *shape = block.shape
        grid = Grid(tuple(shape), block.affine @ REVERSE_AXES)  # type: ignore[arg-type]
    except BlockError as error:
        yield refused(path, reader=reader, kind=error.kind, sentence=f"{path.name} {error}.")
        return
    except GeometryError:
        yield refused(path, reader=reader, kind="bad-affine", sentence=f"{path.name} has axes that span no volume.")
        return
    except OSError as error:
        yield refused(path, reader=reader, kind="unreadable", sentence=f"{path.name} cannot be opened: {error.strerror}.")
        return
    files = (path,) if block.header is None or block.path == path else (path, block.path)
    name = file_name(block.path, path.name, block.header)
    hazards = list(block.hazards)
    if volumes > 1:
        words = f"The file holds {volumes} volumes; this is one of them."
        hazards.append(Hazard("several-volumes", Verdict.SPLIT, words, (str(path),)))
    for number in range(volumes):
        which = (SourceSlice(file=path, frame=number, position_mm=grid.origin_mm),) if volumes > 1 else ()
        yield Series(
            reader=reader,
            files=files,
            name=short_name("series", name, number),
            grid=grid,
            slices=which,
            hazards=tuple(hazards),
            study_uid=f"file {name}",
        )


def refused(path: Path, *, reader: str, kind: str, sentence: str) -> Series:
    """Return the series of a file that is not read, with the reason."""
    try:
        name = file_name(path, path.name, None)
    except OSError:
        name = short_name("file", path.name)
    hazard = Hazard(kind, Verdict.REFUSED, sentence, (str(path),))
    return Series(reader=reader, files=(path,), name=short_name("series", name, 0), hazards=(hazard,), study_uid=f"file {name}")


def file_name(path: Path, shown: str, header: Path | None) -> str:
    """Return a name that is the same for the same file: of its name, its size and samples of its bytes."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        steps = [size * number // SAMPLES for number in range(SAMPLES)] + [max(0, size - SAMPLE_BYTES)]
        pieces = [os.pread(file.fileno(), SAMPLE_BYTES, start) for start in steps]
    words = header.read_bytes()[: 1 << 20] if header is not None and header != path else b""
    return short_name("file", shown, size, words, *pieces)


def check(block: Block) -> None:
    """Compare what the header promises with what the file can hold.

    Raises:
        BlockError: it cannot.
    """
    count = 1
    for size in block.shape:
        count *= int(size)
        if size < 1:
            raise BlockError("no-size", "has no voxels")
    if block.shape[0] > VOLUMES_LIMIT:
        raise BlockError("too-many-volumes", f"holds {block.shape[0]} volumes, which is a time course and no scan")
    if count // block.shape[0] > VOXELS_LIMIT:
        raise BlockError("too-large", "has more voxels than are read at once")
    if block.packing and count // block.shape[0] > PACKED_VOXELS_LIMIT:
        raise BlockError("too-large", "has more voxels than are unpacked at once; save it unpacked")
    if not np.isfinite(block.affine).all():
        raise BlockError("bad-affine", "has an affine with a number that is none")
    needed, size = count * block.kind.itemsize, block.path.stat().st_size
    most = {"": 1, "bzip2": BZIP2_MOST_PACKED}.get(block.packing, MOST_PACKED)
    if needed > most * (size if block.packing == "gzip-all" else max(0, size - block.offset)):
        raise BlockError("truncated", "is cut short: it has fewer bytes than its header says")
    over = size - block.offset - needed
    if not block.packing and block.offset >= 0 and over > MOST_LEFT_OVER:
        block.note("left-over", Verdict.NOTED, f"It holds {over} bytes more than its header says; they were not read.")


def read(series: Series, parse: Callable[[Path], Block]) -> tuple[Volume, Series]:
    """Read the volume of a series that `describe` described.

    Raises:
        ScanError: the file changed or is damaged.
    """
    path = series.files[0]
    shown = path.name
    try:
        block = parse(path)
        check(block)
        number = series.slices[0].frame if series.slices else 0
        if block.shape[1:] != (series.grid.shape if series.grid else ()) or number >= block.shape[0]:
            raise BlockError("changed", "changed since it was looked at")
        array = _voxels(block, number)
    except BlockError as error:
        raise ScanError(f"{shown} {error}. Export or copy the scan again.") from error
    except OSError as error:
        raise ScanError(f"{shown} cannot be opened: {error.strerror}. Check the file and its permissions.") from error
    with np.errstate(over="ignore"):
        values, bad = _scaled(array, block)
    volume = Volume(array=values, grid=series.grid, modality=series.modality, history=(f"read({series.reader}, {series.name})",))  # type: ignore[arg-type]
    if (
        array.dtype.kind in "iu"
        and array.dtype.itemsize > 2
        and values.dtype == np.float32
        and np.abs(values).max() > EXACT_FLOAT32
    ):
        hazard = Hazard("rounded", Verdict.NOTED, ROUNDED, (shown,))
        return volume, replace(series, hazards=(*series.hazards, hazard))
    if not bad:
        return volume, series
    if bad == values.size:
        raise ScanError(f"{shown} holds no voxel with a number in it. Export the scan again.")
    words = f"{bad} voxels hold no number that is finite in float32; they have the lowest value of the others."
    hazard = Hazard("not-a-number", Verdict.REPAIRED, words, (shown,))
    return volume, replace(series, hazards=(*series.hazards, hazard))


def _voxels(block: Block, number: int) -> NDArray[Any]:
    shape = block.shape[1:]
    small = block.packing and block.kind.itemsize == 1 and block.slope == 1 and block.intercept == 0
    array = np.empty(shape, np.int16 if small else block.kind)
    skip = number * array.size * block.kind.itemsize
    with block.path.open("rb", buffering=0) as file:
        if not block.packing:
            _read_raw(file.fileno(), array.reshape(-1).view(np.uint8).data, block.offset + skip)
        elif block.packing == "gzip-all":  # the whole file is gzip, header and all (.nii.gz)
            unpack(file, "gzip", array, block.kind, block.offset + skip)
        else:
            file.seek(block.offset)
            unpack(file, block.packing, array, block.kind, skip)
    return array


def _read_raw(handle: int, view: memoryview, start: int) -> None:
    done = 0
    while done < len(view):
        got = os.preadv(handle, [view[done:]], start + done)
        if not got:
            raise BlockError("truncated", "is cut short: it has fewer bytes than its header says")
        done += got


def _scaled(array: NDArray[Any], block: Block) -> tuple[NDArray[Any], int]:
    """Return int16 where that is exact, else float32, and how many voxels held no finite number (they get the lowest value)."""
    plain = block.slope == 1 and block.intercept == int(block.intercept)
    if array.dtype.kind in "iu" and plain:
        add = int(block.intercept)
        if array.dtype == np.int16 and not add:
            return array, 0
        low, high = int(array.min()), int(array.max())
        if low + add >= -32768 and high + add <= 32767:
            small = array if array.dtype == np.int16 else array.astype(np.int16)
            if add:
                small = (array.astype(np.int64) + add).astype(np.int16)
            return small, 0
    if block.slope == 1 and block.intercept == 0:
        values = array.astype(np.float32, copy=False)
    else:
        values = (array * np.float64(block.slope) + block.intercept).astype(np.float32)
    if array.dtype.kind in "iu":
        return values, 0
    sound = np.isfinite(values)
    bad = int(values.size - np.count_nonzero(sound))
    if bad and bad < values.size:
        values = np.where(sound, values, values[sound].min())
    return values, bad
