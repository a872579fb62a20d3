"""To and from SimpleITK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medimg.bridges._itk_frame import frame, grid_of
from medimg.errors import GeometryError

if TYPE_CHECKING:
    import SimpleITK as sitk
    from numpy.typing import NDArray

    from medimg.values import Grid, Mask, Volume


def to_sitk(image: Volume | Mask) -> sitk.Image:
    """Return a SimpleITK image with a copy of the voxels (int16, float32, uint8 or uint16) at the same millimetres.

    Unit, modality, labels and history have no place in a SimpleITK image and stay behind.

    Raises:
        GeometryError: the grid is sheared; SimpleITK's filters take straight axes for granted.

    >>> import numpy as np
    >>> from medimg.values import Grid, Volume
    >>> grid = Grid.straight((2, 3, 4), spacing_mm=(2.5, 0.5, 0.7))
    >>> to_sitk(Volume(array=np.zeros(grid.shape, np.int16), grid=grid)).GetSpacing()
    (0.7, 0.5, 2.5)
    """
    import SimpleITK as sitk

    image.grid.require_straight("SimpleITK")
    spacing, origin, direction = frame(image.grid)
    made = sitk.GetImageFromArray(image.array)
    made.SetSpacing(spacing)
    made.SetOrigin(origin)
    made.SetDirection(direction.ravel().tolist())
    return made


def from_sitk(image: sitk.Image, *, frame_of_reference: str | None = None) -> tuple[NDArray[Any], Grid]:
    """Return the voxels (slice, row, column) of a 3-D SimpleITK image, as a copy, and their grid.

    `frame_of_reference` is passed on to the grid; SimpleITK does not know it.

    Raises:
        GeometryError: the image is not 3-D, or has several values a voxel.
    """
    import SimpleITK as sitk

    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise GeometryError("This SimpleITK image is not 3-D with one value a voxel. Extract one 3-D image of it first.")
    array = sitk.GetArrayFromImage(image)
    grid = grid_of(
        array.shape,
        spacing=image.GetSpacing(),
        origin=image.GetOrigin(),
        direction=image.GetDirection(),
        frame_of_reference=frame_of_reference,
    )
    return array, grid
