"""itk is an extra: without it a clear sentence, with it the same millimetres."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from medimg.bridges import from_itk, to_itk
from medimg.errors import GeometryError, MissingExtraError
from medimg.values import Grid, Volume


def oblique() -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0.0, 0.6, 0.8], [0.0, 0.8, -0.6], [-1.0, 0.0, 0.0]]) @ np.diag([2.5, 0.7, 0.9])
    affine[:3, 3] = (10, -20, 300)
    return Grid((3, 4, 5), affine)


def numbered() -> Volume:
    grid = oblique()
    return Volume(array=np.arange(60, dtype=np.int16).reshape(grid.shape), grid=grid)


def test_without_itk_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "itk", None)  # makes `import itk` fail, installed or not
    with pytest.raises(MissingExtraError, match=r"pip install 'medimg\[itk\]'"):
        to_itk(numbered())
    with pytest.raises(MissingExtraError, match=r"pip install 'medimg\[itk\]'"):
        from_itk(object())


def test_itk_places_each_voxel_at_the_same_point_and_gives_it_back() -> None:
    pytest.importorskip("itk")
    volume = numbered()
    image = to_itk(volume)
    for index in ((0, 0, 0), (2, 3, 4), (1, 0, 3)):
        point = image.TransformIndexToPhysicalPoint([int(number) for number in index[::-1]])
        assert list(point) == pytest.approx(volume.grid.to_mm(index))
        assert image.GetPixel([int(number) for number in index[::-1]]) == volume.array[index]
    array, grid = from_itk(image)
    assert grid.fits(volume.grid)
    assert array.dtype == np.int16
    np.testing.assert_array_equal(array, volume.array)


def test_itk_refuses_a_sheared_grid() -> None:
    pytest.importorskip("itk")
    affine = np.eye(4)
    affine[1, 0] = 0.3
    with pytest.raises(GeometryError, match="itk needs straight axes"):
        to_itk(Volume(array=np.zeros((2, 2, 2), np.int16), grid=Grid((2, 2, 2), affine)))
