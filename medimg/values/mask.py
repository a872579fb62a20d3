"""Labelled voxels and what the labels mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.errors import GeometryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from medimg.values.code import Code
    from medimg.values.grid import Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class Mask:
    """Voxels with a label each, 0 for none.

    Args:
        array: bool, uint8 or uint16 (slice, row, column); made read-only. A bool array is label 1.
        grid: where the voxels lie; its shape is the array's.
        labels: what each label is; a label that has none is legal and unnamed.
    """

    array: NDArray[Any]
    grid: Grid
    labels: Mapping[int, Code] = field(default_factory=dict)

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.dtype == bool:
            array = array.view(np.uint8)
        elif array.dtype not in (np.uint8, np.uint16):
            if not np.issubdtype(array.dtype, np.integer) or (array.size and (array.min() < 0 or array.max() > 65535)):
                raise GeometryError("A mask holds whole labels of 0 to 65535. Round or threshold the array first.")
            array = array.astype(np.uint16 if array.size and array.max() > 255 else np.uint8)
        if array.shape != self.grid.shape:
            raise GeometryError(f"A mask of {array.shape} does not fit a grid of {self.grid.shape}. Give the grid of this very array.")
        view = array.view()
        view.setflags(write=False)
        object.__setattr__(self, "array", view)
        object.__setattr__(self, "labels", dict(self.labels))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return self.grid.shape

    def of(self, label: int) -> NDArray[np.bool_]:
        """Return the voxels of one label."""
        return self.array == label

    @property
    def is_empty(self) -> bool:
        """Whether no voxel has a label."""
        return not self.array.any()
