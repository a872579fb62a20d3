"""SimpleITK must see every voxel at the same millimetre, and give it back there."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from medimg.bridges import from_sitk, to_sitk
from medimg.errors import GeometryError
from medimg.values import Grid, Mask, Volume

TURN = np.array([[0.0, 0.6, 0.8], [0.0, 0.8, -0.6], [-1.0, 0.0, 0.0]])  # orthogonal, no axis where one expects it
STEPS = np.diag([2.5, 0.7, 0.9])


def oblique() -> Grid:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = TURN @ STEPS, (10, -20, 300)
    return Grid((3, 4, 5), affine, frame_of_reference="1.2.3")


def numbered(grid: Grid, dtype: type = np.int16) -> np.ndarray:
    return np.arange(np.prod(grid.shape)).reshape(grid.shape).astype(dtype)


@pytest.mark.parametrize("index", [(0, 0, 0), (2, 0, 0), (0, 3, 0), (0, 0, 4), (2, 3, 4)])
def test_simpleitk_places_each_voxel_at_the_same_point(index: tuple[int, int, int]) -> None:
    grid = oblique()
    image = to_sitk(Volume(array=numbered(grid), grid=grid))
    assert image.TransformIndexToPhysicalPoint(index[::-1]) == pytest.approx(grid.to_mm(index))
    assert image[index[::-1]] == numbered(grid)[index]


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_volume_comes_back_equal(dtype: type) -> None:
    grid = oblique()
    array, back = from_sitk(to_sitk(Volume(array=numbered(grid, dtype), grid=grid)), frame_of_reference="1.2.3")
    assert back.fits(grid)
    assert back.frame_of_reference == "1.2.3"
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, numbered(grid))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_mask_keeps_its_labels(dtype: type) -> None:
    grid = oblique()
    array, _ = from_sitk(to_sitk(Mask(array=numbered(grid, dtype), grid=grid)))
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, numbered(grid))


def test_what_simpleitk_does_to_its_copy_does_not_reach_the_volume() -> None:
    grid = oblique()
    volume = Volume(array=numbered(grid), grid=grid)
    image = to_sitk(volume)
    image[0, 0, 0] = 999
    assert volume.array[0, 0, 0] == 0


def test_an_image_that_simpleitk_made_is_placed_as_simpleitk_places_it() -> None:
    image = sitk.Image(5, 4, 3, sitk.sitkInt16)
    image.SetOrigin((1, 2, 3))
    image.SetSpacing((0.5, 0.7, 2.0))
    image.SetDirection((1, 0, 0, 0, 0, 1, 0, -1, 0))  # coronal
    _, grid = from_sitk(image)
    for index in ((1, 2, 3), (2, 0, 1)):
        assert grid.to_mm(index) == pytest.approx(image.TransformIndexToPhysicalPoint(index[::-1]))


def test_a_sheared_grid_is_refused_with_its_remedy() -> None:
    affine = np.eye(4)
    affine[1, 0] = 0.3
    grid = Grid((2, 2, 2), affine)
    with pytest.raises(GeometryError, match=r"SimpleITK needs straight axes.*medimg\.resample"):
        to_sitk(Volume(array=np.zeros(grid.shape, np.int16), grid=grid))


@pytest.mark.parametrize("image", [sitk.Image(4, 4, sitk.sitkInt16), sitk.Image([4, 4, 4], sitk.sitkVectorFloat32, 3)])
def test_what_is_no_3d_scalar_image_is_refused(image: sitk.Image) -> None:
    with pytest.raises(GeometryError, match="not 3-D with one value a voxel"):
        from_sitk(image)
