"""The committed study is what the code makes, and it is placed and valued as the phantom is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydicom import dcmread

from medimg.errors import OptionError
from medimg.phantoms import chest, write_chest
from medimg.phantoms.__main__ import main

MOST_BYTES = 4_000_000


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / "study"
    write_chest(folder)
    return folder


def test_the_committed_study_is_what_the_code_makes(example_dicoms, written):
    names = sorted(path.name for path in example_dicoms.iterdir())
    assert names == sorted(path.name for path in written.iterdir())
    differing = [name for name in names if (example_dicoms / name).read_bytes() != (written / name).read_bytes()]
    assert differing == []


def test_it_is_small(example_dicoms):
    assert sum(path.stat().st_size for path in example_dicoms.iterdir()) <= MOST_BYTES


def test_slices_hold_the_phantoms_values_at_its_places(example_dicoms):
    scan, _ = chest()
    slices = [dcmread(path) for path in sorted(example_dicoms.glob("*.dcm"))]
    assert len(slices) == scan.shape[0]
    for dataset in slices[::9]:
        place = [float(value) for value in dataset.ImagePositionPatient]
        index = scan.grid.to_index(place)
        assert index == pytest.approx(np.rint(index), abs=1e-6)
        stored = dataset.pixel_array.astype(int) * int(dataset.RescaleSlope) + int(dataset.RescaleIntercept)
        assert np.array_equal(stored, scan.array[round(index[0])])
        assert dataset.FrameOfReferenceUID == scan.grid.frame_of_reference


def test_uids_are_unique_and_shared_where_they_should_be(example_dicoms):
    slices = [dcmread(path, stop_before_pixels=True) for path in example_dicoms.glob("*.dcm")]
    assert len({dataset.SOPInstanceUID for dataset in slices}) == len(slices)
    assert len({dataset.InstanceNumber for dataset in slices}) == len(slices)
    for word in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({dataset[word].value for dataset in slices}) == 1
    truth = json.loads((example_dicoms / "truth.json").read_text())
    assert (truth["study_uid"], truth["series_uid"]) == (slices[0].StudyInstanceUID, slices[0].SeriesInstanceUID)


def test_nobody_can_take_it_for_a_patient(example_dicoms):
    dataset = dcmread(example_dicoms / "ct_001.dcm", stop_before_pixels=True)
    assert str(dataset.PatientName) == "Phantom^Chest"
    assert "PHANTOM" in dataset.PatientID
    assert dataset.QualityControlImage == "YES"
    assert "no patient" in dataset.ImageComments


def test_writing_again_replaces_the_study_with_the_same_bytes(written):
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    write_chest(written)
    assert before == {path.name: path.read_bytes() for path in written.iterdir()}


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OptionError, match="output"):
        write_chest(tmp_path)
    assert main(["--output", str(tmp_path)]) == OptionError.exit_code
    assert "a new folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_command_says_what_it_wrote(tmp_path, capsys):
    assert main(["--output", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.startswith("96 files, 3.")
