"""Labelled voxels and what the labels mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.errors import GeometryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from medimg.values.code import Code
    from medimg.values.grid import Grid
    from medimg.values.segment import Segment


@dataclass(frozen=True, kw_only=True, eq=False)
class Mask:
    """Voxels with a label each, 0 for none.

    Args:
        array: bool, uint8 or uint16 (slice, row, column); made read-only. A bool array is label 1.
        grid: where the voxels lie; its shape is the array's.
        labels: what each label is; a label that has none is legal and unnamed.
        segments: what the file it came from says of each label, where it says something.
        remarks: sentences that whoever uses the mask should know (what was left out, which threshold was taken ...).
    """

    array: NDArray[Any]
    grid: Grid
    labels: Mapping[int, Code] = field(default_factory=dict)
    segments: Mapping[int, Segment] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.dtype == bool:
            array = array.view(np.uint8)
        elif array.dtype not in (np.uint8, np.uint16):
            if not np.issubdtype(array.dtype, np.integer) or (array.size and (array.min() < 0 or array.max() > 65535)):
                raise GeometryError("A mask holds whole labels of 0 to 65535. Round or threshold the array first.")
            array = array.astype(np.uint16 if array.size and array.max() > 255 else np.uint8)
        if array.shape != self.grid.shape:
            raise GeometryError(
                f"A mask of {array.shape} does not fit a grid of {self.grid.shape}. Give the grid of this very array."
            )
        view = array.view()
        view.setflags(write=False)
        object.__setattr__(self, "array", view)
        object.__setattr__(self, "labels", dict(self.labels))
        object.__setattr__(self, "segments", dict(self.segments))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return self.grid.shape

    @property
    def names(self) -> dict[int, str]:
        """What people call each label, where that is known: the file's own name for it, else the meaning of its code."""
        codes = {label: code.meaning for label, code in self.labels.items()}
        return codes | {label: segment.name for label, segment in self.segments.items() if segment.name}

    @property
    def present(self) -> tuple[int, ...]:
        """The labels that at least one voxel has, in order."""
        return labels_in(self.array)

    def of(self, label: int) -> NDArray[np.bool_]:
        """Return the voxels of one label."""
        found: NDArray[np.bool_] = self.array == label
        return found

    def box(self, label: int) -> tuple[slice, slice, slice] | None:
        """Return the smallest box that holds every voxel of a label, None if there is none.

        The first call looks through the whole array for the boxes of all labels, which are kept: one look for each label would
        take minutes where there are hundreds of them.
        """
        if "_boxes" not in self.__dict__:
            object.__setattr__(self, "_boxes", _boxes(self.array))
        boxes: dict[int, tuple[slice, slice, slice]] = self.__dict__["_boxes"]
        return boxes.get(label)

    def tight(self) -> Mask:
        """Return the mask of the smallest box that holds every labelled voxel (one voxel if there is none), on its own memory."""
        box = _tight(self.array) or (slice(0, 1),) * 3
        grid = self.grid.crop([side.start for side in box], [side.stop - side.start for side in box])
        return replace(self, array=self.array[box].copy(), grid=grid)

    @property
    def is_empty(self) -> bool:
        """Whether no voxel has a label."""
        return not self.array.any()


def labels_in(array: NDArray[np.integer[Any]]) -> tuple[int, ...]:
    """Return the labels above 0 in an array of uint8 or uint16; sorting all voxels would take ten times as long."""
    seen = np.zeros(np.iinfo(array.dtype).max + 1, dtype=bool)
    for plane in array:
        seen[plane] = True
    return tuple((np.flatnonzero(seen[1:]) + 1).tolist())


def _tight(array: NDArray[Any]) -> tuple[slice, slice, slice] | None:
    """Return the box of the voxels that are not 0, looking at ever less of the array."""
    slices = np.flatnonzero([bool(plane.any()) for plane in array])
    if not len(slices):
        return None
    kept = array[slices[0] : slices[-1] + 1]
    seen = np.zeros(array.shape[1:], dtype=bool)
    for plane in kept:
        seen |= plane != 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    first, second, third = (slice(int(places[0]), int(places[-1]) + 1) for places in (slices, rows, columns))
    return first, second, third


def _boxes(array: NDArray[np.unsignedinteger]) -> dict[int, tuple[slice, slice, slice]]:
    """Return the box of every label above 0."""
    from scipy.ndimage import find_objects

    whole = _tight(array)
    found = find_objects(array[whole]) if whole else ()
    return {label: _shift(box, whole) for label, box in enumerate(found, 1) if box and whole}


def _shift(box: tuple[slice, slice, slice], by: tuple[slice, slice, slice]) -> tuple[slice, slice, slice]:
    first, second, third = (slice(a.start + b.start, a.stop + b.start) for a, b in zip(box, by, strict=True))
    return first, second, third
