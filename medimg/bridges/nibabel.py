"""To and from nibabel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.errors import GeometryError
from medimg.values import Grid

if TYPE_CHECKING:
    import nibabel as nib
    from numpy.typing import NDArray

    from medimg.values import Mask, Volume

LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # x and y change sign; its own inverse
REVERSE_AXES = np.eye(4)[[2, 1, 0, 3]]  # nibabel counts columns first, medimg slices; its own inverse
SCANNER = 1  # NIfTI's code of a form that gives scanner coordinates


def to_nibabel(image: Volume | Mask) -> nib.Nifti1Image:
    """Return a `nibabel.Nifti1Image` of the same voxels at the same millimetres, turned from LPS to RAS.

    Its axes are column, row, slice. A sheared grid is legal: it is in the affine (sform); a qform, which cannot hold it, is then
    left out. The affine in memory is exact; a file keeps it as float32.

    >>> from medimg.values import Volume
    >>> grid = Grid.straight((2, 3, 4), spacing_mm=(2.5, 0.5, 0.7), origin_mm=(10, 20, 30))
    >>> to_nibabel(Volume(array=np.zeros(grid.shape, np.int16), grid=grid)).affine.diagonal()
    array([-0.7, -0.5,  2.5,  1. ])
    """
    import nibabel as nib

    affine = LPS_RAS @ image.grid.affine @ REVERSE_AXES
    made = nib.Nifti1Image(image.array.T, affine)
    made.set_sform(affine, code=SCANNER, update_affine=False)
    made.set_qform(affine if image.grid.is_straight else None, code=SCANNER if image.grid.is_straight else 0, update_affine=False)
    made.header.set_xyzt_units("mm")
    return made


def from_nibabel(image: Any, *, frame_of_reference: str | None = None) -> tuple[NDArray[Any], Grid]:
    """Return the voxels (slice, row, column) of a 3-D nibabel image and their grid, turned from RAS to LPS.

    Integers that the file does not scale stay integers, everything else is as nibabel scales it. A fourth axis of length 1 is
    dropped.

    Raises:
        GeometryError: the image is not 3-D.
    """
    array = np.asanyarray(image.dataobj)
    if array.ndim > 3 and set(array.shape[3:]) == {1}:
        array = array.reshape(array.shape[:3])
    if array.ndim != 3:
        raise GeometryError(f"This nibabel image has the shape {array.shape}, not three axes. Take one 3-D image of it first.")
    affine = LPS_RAS @ np.asarray(image.affine, dtype=np.float64) @ REVERSE_AXES
    slices, rows, columns = array.shape[::-1]
    return array.T, Grid((slices, rows, columns), affine, frame_of_reference=frame_of_reference)
