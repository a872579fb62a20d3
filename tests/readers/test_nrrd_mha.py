"""NRRD and MetaImage lie where SimpleITK says they lie; data beside a header is had by its bare name only."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from medimg import readers
from medimg.errors import ScanError
from medimg.values import Verdict

KINDS = {
    "int16": sitk.sitkInt16,
    "uint16": sitk.sitkUInt16,
    "uint8": sitk.sitkUInt8,
    "int32": sitk.sitkInt32,
    "float32": sitk.sitkFloat32,
    "float64": sitk.sitkFloat64,
}


def turned(kind="int16", seed=2):
    random = np.random.default_rng(seed)
    image = sitk.Cast(sitk.GetImageFromArray(random.integers(0, 200, (4, 6, 5)).astype(np.int32)), KINDS[kind])
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    turn[:, 0] *= np.linalg.det(turn)
    image.SetDirection(turn.ravel())
    image.SetOrigin(random.uniform(-100, 100, 3))
    image.SetSpacing((0.7, 0.8, 2.5))
    return image


def only_series(path):
    studies, _ = readers.scan(path)
    (series,) = [item for study in studies for item in study.series]
    return series


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ending", ["nrrd", "nhdr", "mha", "mhd"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_voxel_lies_where_simpleitk_says(kind, ending, packed, tmp_path):
    image = turned(kind)
    sitk.WriteImage(image, str(tmp_path / f"a.{ending}"), useCompression=packed)
    studies, skipped = readers.scan(tmp_path)
    assert not skipped
    assert len(studies) == 1
    volume = readers.read(tmp_path)
    assert np.array_equal(volume.array, sitk.GetArrayFromImage(image))
    for index in np.ndindex(*volume.shape):
        expected = image.TransformIndexToPhysicalPoint([int(value) for value in index[::-1]])
        assert np.allclose(volume.grid.to_mm(index), expected, atol=1e-6)


def test_ras_nrrd_is_turned_to_lps(tmp_path):
    header = (
        b"NRRD0004\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 2 2 2\n"
        b"space directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (10,20,30)\nencoding: raw\nendian: little\n\n"
    )
    (tmp_path / "a.nrrd").write_bytes(header + np.arange(8, dtype="<i2").tobytes())
    volume = readers.read(tmp_path)
    assert np.allclose(volume.grid.to_mm((1, 1, 1)), (-12, -23, 34))
    assert volume.grid.axis_codes == "SAR"


@pytest.mark.parametrize("name", ["../secret.raw", "/etc/passwd", "LIST", "a%03d.raw 1 4 1", "absent.raw", "link.raw"])
@pytest.mark.parametrize("ending", ["nhdr", "mhd"])
def test_a_data_file_elsewhere_is_never_opened(name, ending, tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    (tmp_path / "secret.raw").write_bytes(bytes(1000))
    (folder / "link.raw").symlink_to(tmp_path / "secret.raw")
    sitk.WriteImage(turned(), str(folder / f"a.{ending}"))
    header = (folder / f"a.{ending}").read_bytes()
    (folder / f"a.{ending}").write_bytes(header.replace(b"a.raw", name.encode()))
    series = only_series(folder / f"a.{ending}")
    assert series.verdict is Verdict.REFUSED
    assert series.hazards[0].kind == "no-data-file"


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_cut_file_is_refused(ending, packed, tmp_path):
    path = tmp_path / f"a.{ending}"
    sitk.WriteImage(turned(), str(path), useCompression=packed)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ScanError, match=r"cut short|damaged"):
        readers.read(path)


@pytest.mark.parametrize(
    ("ending", "old", "new", "kind"),
    [
        ("nrrd", b"space directions: ", b"comment: ", "no-directions"),
        ("nrrd", b"space origin: ", b"comment: ", "no-origin"),
        ("nrrd", b"sizes: 5 6 4", b"sizes: 5 6 999999", "truncated"),
        ("nrrd", b"endian: little", b"nothing: little", "no-endian"),
        ("nrrd", b"left-posterior-superior", b"scanner-xyz", "unknown-space"),
        ("mha", b"ElementSpacing", b"ElementSpacinX", "no-spacing"),
        ("mha", b"DimSize = 5 6 4", b"DimSize = 5 6 999999", "truncated"),
        ("mha", b"NDims = 3", b"NDims = 2", "dimensions"),
    ],
)
def test_a_header_that_says_too_little_is_refused_in_words(ending, old, new, kind, tmp_path):
    path = tmp_path / f"a.{ending}"
    sitk.WriteImage(turned(), str(path))
    raw = path.read_bytes()
    assert old in raw
    path.write_bytes(raw.replace(old, new))
    series = only_series(path)
    assert series.verdict is Verdict.REFUSED
    assert series.hazards[0].kind == kind


def test_a_metaimage_without_directions_says_so(tmp_path):
    path = tmp_path / "a.mha"
    sitk.WriteImage(turned(), str(path))
    path.write_bytes(path.read_bytes().replace(b"TransformMatrix", b"TransformMatriX"))
    series = only_series(path)
    assert series.verdict is Verdict.REPAIRED
    assert series.hazards[0].kind == "no-orientation"
