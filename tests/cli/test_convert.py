"""`medimg convert`: every voxel where it was measured, and a sidecar that names nobody."""

from __future__ import annotations

import json

import numpy as np
import pytest

from medimg import readers
from medimg.cli import main
from medimg.errors import ManyVolumesError, OptionError, ScanError
from medimg.runs import convert
from tests.builders.ct_series import ct_series

WHOSE = {"PatientName": "Doe^Jane", "PatientID": "4711", "StudyDate": "20200102", "SeriesDescription": "Jane Doe, again"}


@pytest.mark.parametrize("name", ["out.nii.gz", "out.nii", "out.nrrd"])
@pytest.mark.parametrize("tilt_deg", [0.0, 12.0])
def test_the_volume_comes_back_at_its_millimetre(tmp_path, name, tilt_deg):
    hu, affine = ct_series(tmp_path / "scan", tilt_deg=tilt_deg)
    convert(tmp_path / "scan", tmp_path / name)
    volume = readers.read(tmp_path / name)
    np.testing.assert_array_equal(volume.array, hu)
    np.testing.assert_allclose(volume.grid.affine, affine, atol=1e-4)


def test_nibabel_and_simpleitk_place_it_alike(tmp_path):
    import nibabel
    import SimpleITK as sitk

    _, affine = ct_series(tmp_path / "scan", orientation=(0, 1, 0, 0, 0, -1))
    convert(tmp_path / "scan", tmp_path / "out.nii.gz")
    read = nibabel.load(tmp_path / "out.nii.gz")
    index = np.array([3, 4, 5])  # column, row, slice
    place = (affine @ [*index[::-1], 1])[:3]
    np.testing.assert_allclose((read.affine @ [*index, 1])[:3], place * (-1, -1, 1), atol=1e-3)
    other = sitk.ReadImage(str(tmp_path / "out.nii.gz"))
    np.testing.assert_allclose(other.TransformIndexToPhysicalPoint(index.tolist()), place, atol=1e-3)


def test_the_sidecar_speaks_bids_and_names_nobody(tmp_path):
    ct_series(tmp_path / "Doe_Jane", KVP="120", ExposureTime="500", Manufacturer="Maker", ConvolutionKernel="B30f", **WHOSE)
    convert(tmp_path / "Doe_Jane", tmp_path / "out.nii.gz")
    text = (tmp_path / "out.json").read_text()
    facts = json.loads(text)
    assert (facts["Modality"], facts["Manufacturer"], facts["ConvolutionKernel"]) == ("CT", "Maker", "B30f")
    assert (facts["KVP"], facts["ExposureTime"]) == (120, 0.5)
    assert facts["ConversionSoftware"] == "medimg"
    assert facts["medimg"]["unit"] == "HU"
    for word in ("Doe", "Jane", "4711", "20200102", "2.25.1"):
        assert word not in text


def test_identify_puts_the_patient_in(tmp_path):
    ct_series(tmp_path / "scan", **WHOSE)
    convert(tmp_path / "scan", tmp_path / "out.nii.gz", identify=True)
    facts = json.loads((tmp_path / "out.json").read_text())
    assert {name: facts[name] for name in WHOSE} == WHOSE


def test_a_missing_slice_is_said_beside_the_file(tmp_path):
    ct_series(tmp_path / "scan", slices=12)
    (tmp_path / "scan" / "0005.dcm").unlink()
    convert(tmp_path / "scan", tmp_path / "out.nii.gz")
    facts = json.loads((tmp_path / "out.json").read_text())["medimg"]
    assert facts["verdict"] == "repaired"
    assert len(facts["unmeasured_slices"]) == 1
    assert any("missing" in hazard["kind"] for hazard in facts["hazards"])


@pytest.fixture
def two(tmp_path):
    ct_series(tmp_path / "scan" / "a", uid="2.25.1")
    ct_series(tmp_path / "scan" / "b", uid="2.25.2", slices=7)
    return tmp_path / "scan"


def test_one_file_for_two_volumes_is_an_error_that_names_them(two, tmp_path, capsys):
    names = [item.name for study in readers.scan(two)[0] for item in study.series]
    with pytest.raises(ManyVolumesError) as error:
        convert(two, tmp_path / "out.nii.gz")
    assert all(name in str(error.value) for name in names)
    assert main(["convert", str(two), str(tmp_path / "out.nii.gz")]) == ManyVolumesError.exit_code
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.glob("out*"))


def test_a_folder_gets_each_of_them(two, tmp_path, capsys):
    assert main(["convert", str(two), str(tmp_path / "out"), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["schema"] == "medimg.conversion/1"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{item['name']}{ending}" for item in done["series"] for ending in (".nii.gz", ".json")
    )
    assert {readers.read(path).shape[0] for path in (tmp_path / "out").glob("*.nii.gz")} == {12, 7}


def test_one_of_them_by_its_name(two, tmp_path):
    wanted = next(item for study in readers.scan(two)[0] for item in study.series if item.grid.shape[0] == 7)
    convert(two, tmp_path / "out.nrrd", series=wanted.name)
    assert readers.read(tmp_path / "out.nrrd").shape[0] == 7
    with pytest.raises(ScanError, match="holds no series series-0"):
        convert(two, tmp_path / "out.nrrd", series="series-0")


def test_an_ending_that_is_not_written_and_a_folder_without_scans(two, tmp_path):
    with pytest.raises(OptionError, match=r"\.nii\.gz, \.nii, \.nrrd, or a folder"):
        convert(two, tmp_path / "out.mha")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScanError):
        convert(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_series_that_cannot_be_trusted_is_left_out_and_named(two, tmp_path, capsys):
    ct_series(two / "c", uid="2.25.3", ImagePositionPatient=None)
    assert main(["convert", str(two), str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "skipped (" in out
    assert len(list((tmp_path / "out").glob("*.nii.gz"))) == 2


def test_the_scan_itself_is_never_written_over(tmp_path):
    ct_series(tmp_path / "scan")
    convert(tmp_path / "scan", tmp_path / "out.nii.gz")
    before = (tmp_path / "out.nii.gz").read_bytes()
    with pytest.raises(OptionError, match="the scan itself"):
        convert(tmp_path / "out.nii.gz", tmp_path / "out.nii.gz")
    assert (tmp_path / "out.nii.gz").read_bytes() == before
