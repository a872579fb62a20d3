"""What goes wrong in the field, or is made to: said in words, never merged in silence, never at the cost of the other files."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
import pytest

from medimg import readers
from medimg.cli import main
from medimg.errors import ScanError
from medimg.values import Verdict
from tests.builders.ct_series import ct_series


def series_in(*paths):
    studies, skipped = readers.scan(*paths)
    return [series for study in studies for series in study.series], skipped


def change(folder, numbers, **attributes):
    """Change attributes of some files (None: take them out)."""
    import pydicom

    for number, path in enumerate(sorted(folder.glob("*"))):
        if number in numbers:
            data = pydicom.dcmread(path)
            for name, value in attributes.items():
                if value is None:
                    delattr(data, name)
                else:
                    setattr(data, name, value)
            data.save_as(path)


@pytest.fixture
def folder(tmp_path):
    ct_series(tmp_path / "scan", slices=6)
    return tmp_path / "scan"


ODD = (1, 3, 5)


@pytest.mark.parametrize(
    "other",
    [{"PatientID": "B"}, {"PatientID": ""}, {"PatientBirthDate": "19010101"}],
    ids=["another id", "no id", "another birth date"],
)
def test_two_patients_are_never_one_volume(folder, other):
    change(folder, range(6), PatientID="A", PatientBirthDate="19500101")
    change(folder, ODD, **other)
    (series,), _ = series_in(folder)
    assert series.verdict is Verdict.REFUSED
    assert series.hazards[0].kind == "mixed-patients"


@pytest.mark.parametrize("missing", [("StudyInstanceUID",), ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")])
def test_two_patients_without_uids_are_never_one_volume(folder, missing):
    change(folder, range(6), PatientID="A", **dict.fromkeys(missing))
    change(folder, ODD, PatientID="B")
    found, _ = series_in(folder)
    assert all(series.verdict is Verdict.REFUSED or len(series.slices) <= 3 for series in found)


@pytest.mark.parametrize("other", [{"Modality": "MR"}, {"RescaleType": "US"}, {"PhotometricInterpretation": "MONOCHROME1"}])
def test_values_of_different_kinds_are_never_one_volume(folder, other):
    change(folder, ODD, **other)
    found, _ = series_in(folder)
    assert len(found) == 2
    assert {series.verdict for series in found} == {Verdict.SPLIT}


def test_an_inverted_stack_is_said(folder):
    change(folder, range(6), PhotometricInterpretation="MONOCHROME1")
    (series,), _ = series_in(folder)
    assert "inverted" in {hazard.kind for hazard in series.hazards}
    assert readers.read(folder).inverted


def test_one_impossible_file_leaves_the_others(folder, tmp_path):
    ct_series(tmp_path / "thin", slices=1)
    change(tmp_path / "thin", (0,), SliceThickness="1e-200")
    found, _ = series_in(tmp_path)
    assert sorted(len(series.slices) for series in found if series.is_readable) in ([6], [1, 6])
    assert all(series.hazards for series in found if len(series.slices) != 6)


def test_one_undecodable_series_leaves_the_others(folder, tmp_path):
    ct_series(tmp_path / "bad", slices=4)
    for path in (tmp_path / "bad").glob("*"):
        path.write_bytes(path.read_bytes()[:-40])
    assert [volume.shape[0] for volume in readers.read_all(tmp_path)] == [6]


@pytest.mark.parametrize(("slope", "intercept"), [("1e300", "0"), ("1", "1e300"), ("9007199254740992", "0")])
def test_a_rescale_beyond_all_measure_is_refused(folder, slope, intercept):
    change(folder, range(6), RescaleSlope=slope, RescaleIntercept=intercept)
    (series,), _ = series_in(folder)
    assert series.verdict is Verdict.REFUSED


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")  # pydicom's, for what is written here on purpose
def test_a_header_cannot_write_to_the_terminal(folder, capsys):
    change(folder, range(6), Modality="C\x1b[31mDOE^JOHN", PatientPosition="\x1b[2JDOE^JOHN")
    assert main(["inspect", str(folder)]) == 0
    assert main(["inspect", str(folder), "--json"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "DOE" not in out


def test_a_file_name_cannot_write_to_the_terminal(folder, capsys):
    path = sorted(folder.glob("*"))[5]
    path.rename(folder / "evil\x1b[31m\nname")
    content = (folder / "evil\x1b[31m\nname").read_bytes()
    (folder / "evil\x1b[31m\nname").write_bytes(content[:-100])
    assert main(["inspect", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "evil" in out


def test_a_name_that_is_no_text_does_not_end_the_command(folder, monkeypatch):
    import sys

    (folder / "caf\udce9").write_bytes(b"no image")
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["inspect", str(folder)]) == 0


def test_a_ct_that_does_not_say_so_is_still_held_to_its_hounsfield_units(folder):
    change(folder, range(6), Modality="", RescaleSlope=None, RescaleIntercept=None)
    (series,), _ = series_in(folder)
    assert series.modality == "CT"
    assert series.verdict is Verdict.REFUSED


def test_sizes_that_are_none_do_not_end_inspect(tmp_path, capsys):
    header = "ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 2 2 2\nElementType = MET_UCHAR\n"
    place = "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 1e200 1e200 1e200\nElementDataFile = LOCAL\n"
    (tmp_path / "big.mha").write_bytes((header + place).encode() + bytes(8))
    assert main(["inspect", str(tmp_path), "--json"]) == 0
    (study,) = json.loads(capsys.readouterr().out)["studies"]
    assert study["series"][0]["verdict"] == "refused"


def test_a_header_is_not_its_own_voxels(tmp_path):
    header = "ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 2 2 2\nElementType = MET_UCHAR\n"
    place = "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 1 1 1\nElementDataFile = self.mhd\n"
    (tmp_path / "self.mhd").write_text(header + place)
    (series,), _ = series_in(tmp_path)
    assert series.verdict is Verdict.REFUSED


def test_many_bytes_more_than_the_header_says_are_told(tmp_path):
    header = "ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 16 16 16\nElementType = MET_UCHAR\n"
    place = "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 1 1 1\nElementDataFile = LOCAL\n"
    (tmp_path / "extra.mha").write_bytes((header + place).encode() + bytes(2 * 16**3 + 4096))
    (series,), _ = series_in(tmp_path)
    assert [hazard.kind for hazard in series.hazards] == ["left-over"]


def test_centimetres_without_quotes_are_no_millimetres(tmp_path):
    text = (
        "NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 2 2\nencoding: raw\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nspace units: cm cm cm\n\n"
    )
    (tmp_path / "unit.nrrd").write_bytes(text.encode() + bytes(8))
    (series,), _ = series_in(tmp_path)
    assert series.verdict is Verdict.REFUSED


def test_a_damaged_gzip_file_is_called_one(tmp_path):
    content = bytearray(gzip.compress(bytes(1000)))
    content[10:] = b"\xff" * (len(content) - 10)
    (tmp_path / "x.nii.gz").write_bytes(bytes(content))
    _, (skipped,) = series_in(tmp_path)
    assert "gzip" in skipped.reason


def test_a_stack_of_thousands_of_uneven_slices_is_looked_through_in_little_memory():
    from medimg.readers._dicom_places import _farthest

    index = np.sort(np.random.default_rng(0).uniform(0, 40_000, 20_000))
    slow = max(np.abs(index - place).min() for place in range(0, 2000))
    assert _farthest(index[index < 2200], 2000) == pytest.approx(slow)
    assert _farthest(index, 40_000) >= slow


def test_nothing_readable_at_all_says_why(folder):
    for path in folder.glob("*"):
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ScanError, match="cut short"):
        readers.read_all(folder)
