"""Everything a study gets is written, in order, and what is not is said."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from medimg._tools.files import whole_folder
from medimg.errors import WriteError
from medimg.reports import not_written, write_all
from medimg.values import Mask
from tests.builders.study import study_result

DICOM = ["seg.dcm", "sr.dcm", "key_1.dcm", "key_2.dcm"]


def nothing_found(result):
    grid = result.volume.grid
    empty = Mask(array=np.zeros(grid.shape, dtype=np.uint8), grid=grid)
    return replace(result, prediction=replace(result.prediction, findings=(), mask=empty), heatmaps=())


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["findings.json", *DICOM, "heatmap.nii.gz", "report.html", "run.json"]),
        ({"dicom": False}, ["findings.json", "seg.nii.gz", "heatmap.nii.gz", "report.html", "run.json"]),
        ({"heat": False}, ["findings.json", *DICOM, "report.html", "run.json"]),
    ],
    ids=["dicom", "nifti", "not explained"],
)
def test_a_study_gets_its_objects_in_order(tmp_path, options, names):
    result = study_result(tmp_path / "source", **options)
    (tmp_path / "out").mkdir()
    files = write_all(result, tmp_path / "out")
    assert [path.name for path in files] == names
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["files"] == names


@pytest.mark.parametrize(("dicom", "names"), [(True, ["findings.json", "sr.dcm", "report.html", "run.json"]), (False, None)])
def test_no_finding_is_a_result_too(tmp_path, dicom, names):
    result = nothing_found(study_result(tmp_path / "source", dicom=dicom))
    (tmp_path / "out").mkdir()
    files = write_all(result, tmp_path / "out")
    assert [path.name for path in files] == (names or ["findings.json", "seg.nii.gz", "report.html", "run.json"])
    content = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert content["findings"] == []
    assert [item["what"] for item in content["not_written"]] == (["seg.dcm", "key_1.dcm"] if dicom else [])


def test_what_is_not_written_has_a_reason(tmp_path):
    result = study_result(tmp_path / "source", heat=False)
    assert {item.what: bool(item.reason) for item in not_written(result)} == {"heatmap.nii.gz": True}
    assert not_written(study_result(tmp_path / "other")) == ()


def test_outlines_where_nothing_was_measured_are_no_seg(tmp_path):
    result = study_result(tmp_path / "source", gaps=tuple(range(2, 14)))
    assert "missing" in not_written(result)[0].reason


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    result = study_result(tmp_path / "source")
    with pytest.raises(WriteError, match=r"findings\.json could not be written"):
        write_all(result, tmp_path / "none")


def test_a_segmentation_as_nifti_is_the_mask_voxel_by_voxel(tmp_path):
    import nibabel

    result = study_result(tmp_path, dicom=False)
    write_all(result, tmp_path)
    image = nibabel.load(tmp_path / "seg.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj).T, result.prediction.mask.array)
    corner = image.affine @ (47, 39, 15, 1)
    assert corner[:3] * (-1, -1, 1) == pytest.approx(result.volume.grid.to_mm((15, 39, 47)), abs=1e-3)


def test_two_runs_into_one_folder_leave_one_whole_result_and_nothing_else(tmp_path, monkeypatch):
    """The other one ends between our two steps: between moving former results away and putting ours there."""
    place = tmp_path / "study"
    place.mkdir()
    (place / "run.json").write_text("former")
    real = os.rename

    def slow(source, target):
        real(source, target)
        if str(target).endswith("-old"):
            place.mkdir()
            (place / "run.json").write_text("the other's")

    def run():
        with whole_folder(place) as partial:
            (partial / "run.json").write_text("ours")

    monkeypatch.setattr(os, "rename", slow)
    with pytest.raises(WriteError):
        run()
    assert [path.name for path in tmp_path.iterdir()] == ["study"]
    assert (place / "run.json").read_text() == "the other's"
