"""Paint planes of labels into one array: a voxel that two labels claim is never decided in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import GeometryError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from medimg.readers._scan_slices import ScanSlices

    Planes = Callable[[], Iterable[tuple[int, int, int, int, NDArray[np.bool_]]]]  # label, slice, row, column, pixels

OVERLAPS = ("refuse", "smallest")
VOXELS_LIMIT = 1 << 31  # of a mask: 2 GiB, four times the largest CT there is
SHOWN = 4  # pairs that a sentence names


class Canvas:
    """An array that is painted a plane at a time; what lies outside of it and what overlaps is counted."""

    def __init__(self, shape: tuple[int, int, int], most: int, sizes: Mapping[int, int] | None = None) -> None:
        if int(np.prod(shape, dtype=np.int64)) > VOXELS_LIMIT:
            raise GeometryError("The mask would have more voxels than are held at once. Give scan=, the scan it was drawn on.")
        self.array = np.zeros(shape, dtype=np.uint8 if most < 256 else np.uint16)
        self.sizes = sizes
        self.overlaps: dict[tuple[int, int], int] = {}
        self.outside: dict[int, int] = {}

    def paint(self, label: int, index: int, row: int, column: int, pixels: NDArray[np.bool_]) -> None:
        """Give pixels of a plane a label; the plane's first pixel lies at (row, column) of slice `index`."""
        rows, columns = self.array.shape[1:]
        top, left = max(0, -row), max(0, -column)
        inside = pixels[top : max(top, rows - row), left : max(left, columns - column)]
        if inside.shape != pixels.shape:
            lost = int(np.count_nonzero(pixels)) - int(np.count_nonzero(inside))
            if lost:
                self.outside[label] = self.outside.get(label, 0) + lost
        if not inside.size:
            return
        part = self.array[index, row + top : row + top + inside.shape[0], column + left : column + left + inside.shape[1]]
        under = part[inside]
        if under.any():
            inside = self._settled(label, part, inside, under)
        part[inside] = label

    def _settled(
        self, label: int, part: NDArray[np.integer], inside: NDArray[np.bool_], under: NDArray[np.integer]
    ) -> NDArray[np.bool_]:
        """Count the voxels that others have already, and return those that this label takes."""
        others, counts = np.unique(under[(under != 0) & (under != label)], return_counts=True)
        for other, count in zip(others.tolist(), counts.tolist(), strict=True):
            pair = (min(other, label), max(other, label))
            self.overlaps[pair] = self.overlaps.get(pair, 0) + count
        if self.sizes is None:
            return inside
        mine = (self.sizes[label], label)
        stays = [other for other in others.tolist() if (self.sizes[other], other) < mine]
        return inside & ~np.isin(part, stays) if stays else inside


def painted(
    planes: Planes, shape: tuple[int, int, int], *, most: int, overlap: str, names: Mapping[int, str], remedy: str
) -> tuple[NDArray[np.integer], dict[int, int], tuple[str, ...]]:
    """Return the painted array, the voxels of each label that lie outside of it, and remarks.

    `overlap` is "refuse", or "smallest": a voxel that several labels claim is that of the smallest one, so that a lesion in an
    organ stays whole.

    Raises:
        GeometryError: labels overlap, and that is refused.
    """
    if overlap not in OVERLAPS:
        raise OptionError.unknown("overlap", overlap, OVERLAPS)
    sizes: dict[int, int] | None = None
    if overlap == "smallest":
        sizes = {}
        for label, _, _, _, pixels in planes():
            sizes[label] = sizes.get(label, 0) + int(np.count_nonzero(pixels))
    canvas = Canvas(shape, most, sizes)
    for label, index, row, column, pixels in planes():
        canvas.paint(label, index, row, column, pixels)
    if not canvas.overlaps:
        return canvas.array, canvas.outside, ()
    pairs = sorted(canvas.overlaps.items(), key=lambda item: -item[1])
    told = ", ".join(f"{_named(a, names)} and {_named(b, names)} in {count} voxels" for (a, b), count in pairs[:SHOWN])
    told = f"Some overlap ({told}{f' and {len(pairs) - SHOWN} more pairs' if len(pairs) > SHOWN else ''})"
    if sizes is None:
        raise GeometryError(
            f"{told}, and a mask has one label a voxel. Read them {remedy}, or give such voxels to the smaller one of two "
            'with --overlap smallest (overlap="smallest").'
        )
    return canvas.array, canvas.outside, (f"{told}; such voxels were given to the smallest that claims them.",)


def _named(label: int, names: Mapping[int, str]) -> str:
    return f"{label} ({names[label]})" if names.get(label) else str(label)


def repeated(array: NDArray[np.integer], slices: ScanSlices, used: set[int]) -> NDArray[np.integer]:
    """Give places of the grid where nothing was measured the labels of the slice that they repeat, as the scan's values do.

    Where something was drawn on such a place itself (on a scan that had the slice), all stay as they were drawn. `used` are the
    numbers of the slices (see ScanSlices) that something lies on.
    """
    if slices.measured == len(slices.positions_mm) or any(spot >= slices.measured for spot in used):
        return array
    for spot in range(slices.measured, len(slices.positions_mm)):
        place = int(slices.places[spot])
        source = int(slices.places[slices.repeats[place]])
        if source >= 0:
            array[place] = array[source]
    return array
