"""What is written as NIfTI lies where it lay, voxel by voxel, in the eyes of others."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest

from medimg.errors import GeometryError, OptionError, WriteError
from medimg.values import Grid, Mask, Volume
from medimg.writers import write_nifti
from tests.builders.study import balls, grid_of

OBLIQUE = ((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (-1.0, 0.0, 0.0))


def ras_points(grid: Grid, index):
    return grid.to_mm(index) * (-1, -1, 1)


@pytest.mark.parametrize("tilt_deg", [0.0, 18.0])
@pytest.mark.parametrize("directions", [((0, 0, 1), (0, 1, 0), (1, 0, 0)), OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_nibabel_finds_every_voxel_where_it_lay(tmp_path, tilt_deg, directions, dtype):
    import nibabel

    grid = grid_of(shape=(5, 6, 7), directions=directions, tilt_deg=tilt_deg)
    array = np.random.default_rng(0).normal(0, 500, grid.shape).astype(dtype)
    image = nibabel.load(write_nifti(Volume(array=array, grid=grid), tmp_path / "x.nii.gz"))
    assert image.get_data_dtype() == dtype
    assert np.array_equal(np.asarray(image.dataobj).T, array)
    for index in np.ndindex(2, 2, 2):
        last = np.array(index) * (np.array(grid.shape) - 1)
        placed = image.affine @ (*last[::-1], 1)
        assert placed[:3] == pytest.approx(ras_points(grid, last), abs=1e-3)
    assert image.header["sform_code"] == 1
    assert image.header["qform_code"] == (0 if tilt_deg else 1)
    if not tilt_deg:
        assert np.abs(image.get_qform() - image.get_sform()).max() < 1e-2


def test_simpleitk_finds_every_voxel_where_it_lay(tmp_path):
    import SimpleITK as sitk

    grid = grid_of(shape=(5, 6, 7), directions=OBLIQUE)
    mask = balls(grid, [(tuple(grid.to_mm((2, 3, 3))), 2.0)])
    image = sitk.ReadImage(str(write_nifti(mask, tmp_path / "x.nii.gz")))
    assert np.array_equal(sitk.GetArrayFromImage(image), mask.array)
    assert image.GetPixelID() == sitk.sitkUInt8
    assert image.TransformIndexToPhysicalPoint((6, 5, 4)) == pytest.approx(grid.to_mm((4, 5, 6)), abs=1e-3)


def test_channels_are_the_fourth_dimension(tmp_path):
    import nibabel

    grid = grid_of(shape=(3, 4, 5))
    array = np.arange(2 * 60, dtype=np.float32).reshape(2, 3, 4, 5)
    image = nibabel.load(write_nifti(array, tmp_path / "x.nii", grid=grid))
    assert image.shape == (5, 4, 3, 2)
    assert np.array_equal(np.asarray(image.dataobj)[..., 1].T, array[1])


def test_the_same_voxels_are_the_same_bytes_and_the_file_is_whole(tmp_path):
    volume = Volume(array=np.ones((3, 4, 5), dtype=np.int16), grid=grid_of(shape=(3, 4, 5)))
    first, second = (write_nifti(volume, tmp_path / name).read_bytes() for name in ("a.nii.gz", "b.nii.gz"))
    assert first == second
    assert len(gzip.decompress(first)) == 352 + volume.array.nbytes
    assert not list(tmp_path.glob(".partial*"))


def test_a_name_that_is_no_nifti_is_refused(tmp_path):
    mask = Mask(array=np.zeros((2, 2, 2), dtype=np.uint8), grid=grid_of(shape=(2, 2, 2)))
    with pytest.raises(OptionError, match=r"\.nii\.gz or \.nii"):
        write_nifti(mask, tmp_path / "x.img")
    assert not list(tmp_path.iterdir())


def test_an_array_needs_its_grid_and_a_type_that_others_read(tmp_path):
    array = np.zeros((2, 3, 4), dtype=np.float64)
    with pytest.raises(OptionError, match="Grid of the array"):
        write_nifti(array.astype(np.float32), tmp_path / "x.nii")
    with pytest.raises(OptionError, match="float64"):
        write_nifti(array, tmp_path / "x.nii", grid=grid_of(shape=(2, 3, 4)))
    with pytest.raises(GeometryError, match="does not fit"):
        write_nifti(array.astype(np.float32), tmp_path / "x.nii", grid=grid_of(shape=(2, 3, 5)))


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    mask = Mask(array=np.zeros((2, 2, 2), dtype=np.uint8), grid=grid_of(shape=(2, 2, 2)))
    with pytest.raises(WriteError, match=r"x\.nii\.gz could not be written"):
        write_nifti(mask, tmp_path / "none" / "x.nii.gz")


@pytest.mark.parametrize("planes", [1, 17, 18, 40])
@pytest.mark.parametrize("order", [1, -1])
def test_a_packed_file_is_one_member_that_every_reader_inflates(tmp_path, planes, order):
    from medimg.writers import _pack

    array = np.random.default_rng(0).integers(-1000, 3000, (planes, 300, 400)).astype(np.int16)[:, :, ::order]
    with (tmp_path / "a.gz").open("wb") as raw, _pack.packed(raw) as stream:
        stream.write(b"head")
        _pack.write_planes(stream, [array])
    packed = (tmp_path / "a.gz").read_bytes()
    engine = zlib.decompressobj(31)
    inflated = engine.decompress(packed)
    assert inflated == b"head" + array.tobytes() == gzip.decompress(packed)
    assert engine.eof
    assert engine.unused_data == b""


@pytest.mark.parametrize("size", [0, 1, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 9 << 20])
def test_pieces_of_any_size_make_one_stream(tmp_path, size):
    from medimg.writers import _pack

    pieces = [b"head", bytes(np.random.default_rng(0).integers(0, 9, size, dtype=np.uint8)), b"", b"tail" * 1000]
    with (tmp_path / "a.gz").open("wb") as raw, _pack.packed(raw) as stream:
        for piece in pieces:
            assert stream.write(piece) == len(piece)
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"".join(pieces)


def test_the_same_voxels_give_the_same_bytes_whatever_the_threads_do(tmp_path):
    grid = Grid.straight((30, 300, 400), spacing_mm=(1, 1, 1))
    volume = Volume(array=np.random.default_rng(0).integers(-1000, 3000, grid.shape).astype(np.int16), grid=grid)
    first, again = (write_nifti(volume, tmp_path / name).read_bytes() for name in ("a.nii.gz", "b.nii.gz"))
    assert first == again
