"""To and from itk (the extra `medimg[itk]`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medimg.bridges._itk_frame import frame, grid_of
from medimg.errors import GeometryError, MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from medimg.values import Grid, Mask, Volume


def to_itk(image: Volume | Mask) -> Any:
    """Return an `itk.Image` with a copy of the voxels (int16, float32, uint8 or uint16) at the same millimetres.

    Raises:
        MissingExtraError: itk is not installed (`pip install 'medimg[itk]'`).
        GeometryError: the grid is sheared; itk's filters take straight axes for granted.
    """
    itk = _itk()
    image.grid.require_straight("itk")
    spacing, origin, direction = frame(image.grid)
    made = itk.image_from_array(image.array)
    made.SetSpacing(spacing)
    made.SetOrigin(origin)
    made.SetDirection(itk.matrix_from_array(direction))
    return made


def from_itk(image: Any, *, frame_of_reference: str | None = None) -> tuple[NDArray[Any], Grid]:
    """Return the voxels (slice, row, column) of a 3-D `itk.Image`, as a copy, and their grid.

    `frame_of_reference` is passed on to the grid; itk does not know it.

    Raises:
        MissingExtraError: itk is not installed (`pip install 'medimg[itk]'`).
        GeometryError: the image is not 3-D, or has several values a voxel.
    """
    itk = _itk()
    array = itk.array_from_image(image)
    if image.GetImageDimension() != 3 or array.ndim != 3:
        raise GeometryError("This itk image is not 3-D with one value a voxel. Extract one 3-D image of it first.")
    grid = grid_of(
        array.shape,
        spacing=list(image.GetSpacing()),
        origin=list(image.GetOrigin()),
        direction=itk.array_from_matrix(image.GetDirection()),
        frame_of_reference=frame_of_reference,
    )
    return array, grid


def _itk() -> ModuleType:
    try:
        import itk
    except ImportError as error:
        raise MissingExtraError("itk", extra="itk") from error
    module: ModuleType = itk
    return module
