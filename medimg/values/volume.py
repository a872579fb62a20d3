"""An image and where it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.errors import GeometryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.values.grid import Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """An image: voxels (slice, row, column) and their place.

    Args:
        array: int16 where that is exact, else float32; made read-only.
        grid: where the voxels lie; its shape is the array's.
        modality: DICOM's word (CT, MR, PT ...), "" if unknown.
        unit: "HU" for CT, "" if unknown.
        inverted: the stored values are MONOCHROME1 (low is bright) and stay as stored.
        history: the steps that made it, oldest first.
    """

    array: NDArray[Any]
    grid: Grid
    modality: str = ""
    unit: str = ""
    inverted: bool = False
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.dtype not in (np.int16, np.float32):
            exact = np.issubdtype(array.dtype, np.integer) and _fits_int16(array)
            array = array.astype(np.int16 if exact or array.dtype == bool else np.float32)
        if array.shape != self.grid.shape:
            raise GeometryError(
                f"An array of {array.shape} does not fit a grid of {self.grid.shape}. Give the grid of this very array."
            )
        view = array.view()
        view.setflags(write=False)
        object.__setattr__(self, "array", view)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return self.grid.shape

    def with_array(self, array: NDArray[Any], *, step: str = "", **options: object) -> Volume:
        """Return a volume on the same grid with other voxels; `step` and its options join the history."""
        return replace(self, array=array, history=self.history + _entry(step, options))

    def with_grid(self, array: NDArray[Any], grid: Grid, *, step: str = "", **options: object) -> Volume:
        """Return a volume with other voxels on another grid; `step` and its options join the history."""
        return replace(self, array=array, grid=grid, history=self.history + _entry(step, options))

    def of_modality(self, modality: str) -> Volume:
        """Return the volume with the modality that its file did not tell, a CT in HU; what a file told stays.

        >>> from medimg.values import Grid
        >>> scan = Volume(array=np.zeros((2, 2, 2), np.int16), grid=Grid.straight((2, 2, 2), spacing_mm=(1, 1, 1)))
        >>> scan.of_modality("CT").unit, scan.of_modality("MR").of_modality("CT").modality
        ('HU', 'MR')
        """
        if self.modality or not modality:
            return self
        return replace(self, modality=modality, unit="HU" if modality == "CT" else self.unit)

    def describe(self) -> str:
        """Say the volume in one line."""
        return f"{self.modality or 'image'}, {self.grid.describe()}{', ' + self.unit if self.unit else ''}"


def _fits_int16(array: NDArray[Any]) -> bool:
    return array.size == 0 or (array.min() >= -32768 and array.max() <= 32767)


def _entry(step: str, options: dict[str, object]) -> tuple[str, ...]:
    if not step:
        return ()
    return (f"{step}({', '.join(f'{name}={value}' for name, value in options.items())})",)
