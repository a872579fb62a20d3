"""A list of scans and masks becomes nodule cubes that lie where the lesions do."""

from __future__ import annotations

import numpy as np
import pytest

import medimg
from medimg.errors import ScanError
from medimg.training import read_list
from medimg.training.lists import list_chests
from medimg.values import Grid, Mask, Volume
from medimg.writers import write_nifti

SPACING_MM = (2.0, 0.8, 0.9)
CENTERS_MM = ((30.0, -20.0, 50.0), (-25.0, 22.0, 90.0))


@pytest.fixture
def scan(tmp_path):
    """A scan with two balls of 12 mm, its mask, and the list of both."""
    grid = Grid.straight((60, 120, 120), spacing_mm=SPACING_MM, origin_mm=(-50.0, -50.0, 10.0))
    points = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1).reshape(-1, 3))
    inside = np.any([np.linalg.norm(points - center, axis=1) <= 6 for center in CENTERS_MM], axis=0).reshape(grid.shape)
    write_nifti(Volume(array=np.where(inside, 40, -850).astype(np.int16), grid=grid), tmp_path / "image.nii.gz")
    write_nifti(Mask(array=inside, grid=grid), tmp_path / "mask.nii.gz")
    (tmp_path / "list.csv").write_text("image,mask,patient_id,split,malignant\nimage.nii.gz,mask.nii.gz,P1,val,1\n")
    return tmp_path


def test_every_lesion_is_a_cube_around_it(scan):
    cubes = read_list(scan / "list.csv")
    assert cubes.hu.shape == (2, 50, 50, 50)
    for number, center in enumerate(CENTERS_MM):
        world = np.array([float(cubes.rows[number][f"centroid_{axis}"]) for axis in "xyz"])
        assert np.allclose(world, center, atol=0.3)
        assert np.allclose(cubes.centroids[number], 25, atol=1.0)
        own = cubes.mask[number] == 1
        assert own.sum() == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.05)
        assert cubes.hu[number][own].mean() > -150
    assert cubes.numbers("malignant").tolist() == [1, 1]
    assert np.isnan(cubes.numbers("texture_mean")).all()


def test_a_lesion_at_the_end_of_a_scan_does_not_go_on_beyond_it(tmp_path):
    """The scan ends in the middle of a ball: what lies beyond is air, and neither outline nor tissue."""
    grid = Grid.straight((30, 80, 80), spacing_mm=(2.0, 1.0, 1.0), origin_mm=(0.0, 0.0, 0.0))
    points = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1).reshape(-1, 3))
    inside = (np.linalg.norm(points - (40, 40, 58), axis=1) <= 10).reshape(grid.shape)
    write_nifti(Volume(array=np.where(inside, 40, -850).astype(np.int16), grid=grid), tmp_path / "image.nii.gz")
    write_nifti(Mask(array=inside, grid=grid), tmp_path / "mask.nii.gz")
    (tmp_path / "list.csv").write_text("image,mask,patient_id\nimage.nii.gz,mask.nii.gz,P1\n")
    cubes = read_list(tmp_path / "list.csv")
    tissue = cubes.hu[0] > -100
    own = cubes.mask[0] == 1
    assert np.count_nonzero(tissue ^ own) < 0.1 * np.count_nonzero(own)
    last_mm = float(cubes.rows[0]["origin_z"]) + np.argwhere(tissue)[:, 0].max()
    assert last_mm <= 59.0  # the last slice lies at 58 mm and is 2 mm thick


def test_splits_and_patients_are_left_out(scan):
    assert len(read_list(scan / "list.csv", splits=["val"]).rows) == 2
    for options in ({"splits": ["train"]}, {"without": ["P1"]}):
        with pytest.raises(ScanError, match="no lesion"):
            read_list(scan / "list.csv", **options)


def test_a_mask_of_another_place_is_refused_with_its_line(scan):
    far = Grid.straight((60, 120, 120), spacing_mm=SPACING_MM, origin_mm=(-50.0, -50.0, 60.0))
    mask = np.zeros(far.shape, bool)
    mask[-5:, :20, :20] = True
    write_nifti(Mask(array=mask, grid=far), scan / "mask.nii.gz")
    with pytest.raises(ScanError, match=r"Line 2 of list\.csv"):
        read_list(scan / "list.csv")


@pytest.mark.parametrize("text", ["image,mask\na,b\n", "", "image,mask,patient_id\nnone.nii,none.nii,P\n"])
def test_a_list_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ScanError, match=r"list\.csv"):
        read_list(tmp_path / "list.csv")


def test_a_list_from_a_spreadsheet_is_read(scan):
    text = (scan / "list.csv").read_text()
    (scan / "list.csv").write_text(text, encoding="utf-8-sig")
    assert len(read_list(scan / "list.csv").rows) == 2


@pytest.mark.parametrize("mark", [";", "\t", ","])
def test_columns_may_be_parted_as_spreadsheets_do(scan, mark):
    """Where numbers have a decimal comma, spreadsheets part columns by semicolons; a comma in a path then means nothing."""
    (scan / "mask.nii.gz").rename(scan / "mask, second.nii.gz")
    number = "4.25" if mark == "," else "4,25"
    name = '"mask, second.nii.gz"' if mark == "," else "mask, second.nii.gz"
    lines = [["image", "mask", "patient_id", "malignancy_mean", "malignant"], ["image.nii.gz", name, "P1", number, "1"]]
    (scan / "list.csv").write_text("\ufeff" + "\r\n".join(mark.join(line) for line in lines) + "\r\n", encoding="utf-8")
    cubes = read_list(scan / "list.csv")
    assert cubes.numbers("malignancy_mean").tolist() == [4.25, 4.25]
    assert cubes.numbers("malignant").tolist() == [1, 1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("image.nii.gz,mask.nii.gz,P1,val,yes", "Line 2 of list.csv: column malignant holds something that is no number"),
        ("image.nii.gz,mask.nii.gz,P1,val,3", "column malignant holds something else than 0 and 1"),
        ("image.nii.gz,,P1,val,1", "Line 2 of list.csv says nothing for mask"),
        ("image.nii.gz,mask.nii.gz", "says nothing for patient_id"),
    ],
)
def test_a_line_that_is_not_complete_or_no_number_is_named(scan, line, words):
    (scan / "list.csv").write_text(f"image,mask,patient_id,split,malignant\n{line}\n")
    with pytest.raises(ScanError, match=words):
        read_list(scan / "list.csv")


def test_a_mask_may_be_a_dicom_seg(example_dicoms, tmp_path):
    """medimg's own SEG of the phantom, written by `infer`, cuts the same cubes as the mask it was made of."""
    result = medimg.infer(example_dicoms, output=tmp_path / "out", explain="none")
    (seg,) = (tmp_path / "out").rglob("seg.dcm")
    (tmp_path / "list.csv").write_text(f"image,mask,patient_id\n{example_dicoms},{seg},P1\n")
    cubes = read_list(tmp_path / "list.csv")
    findings = result.studies[0].prediction.findings
    assert len(cubes.rows) == len(findings)
    centers = np.array([[float(row[f"centroid_{axis}"]) for axis in "xyz"] for row in cubes.rows])
    for finding in findings:
        assert np.linalg.norm(centers - finding.center_mm, axis=1).min() < 0.5


def test_a_scan_of_a_list_is_given_whole_with_its_lesions_as_marks(scan):
    (chest,) = list_chests(scan / "list.csv")
    assert (chest.split, chest.patient, chest.volume.shape) == ("val", "P1", (60, 120, 120))
    for center in CENTERS_MM:
        mark = min(chest.marks, key=lambda mark: np.linalg.norm(np.subtract(mark.center_mm, center)))
        assert np.linalg.norm(np.subtract(mark.center_mm, center)) < 0.3
        assert mark.diameter_mm == pytest.approx(12, abs=0.4)


def test_a_scan_that_stands_twice_is_refused(scan):
    with (scan / "list.csv").open("a") as file:
        file.write("image.nii.gz,mask.nii.gz,P1,val,1\n")
    with pytest.raises(ScanError, match=r"Line 3 of list\.csv names a scan again"):
        read_list(scan / "list.csv")


def test_a_mask_may_be_an_rtstruct(tmp_path):
    """Two contoured squares on slices of a CT: each becomes a lesion where it lies."""
    from tests.builders.rtstruct import structures
    from tests.builders.study import grid_of, picture, two_nodules, write_ct

    grid = grid_of(shape=(30, 64, 64), spacing_mm=(2.0, 0.8, 0.8))
    write_ct(tmp_path / "ct", picture(two_nodules(grid)))
    square = ((20.4, 20.4), (20.4, 34.4), (34.4, 34.4), (34.4, 20.4))
    structures(tmp_path / "rt.dcm", {"GTV": [(place, *square) for place in range(10, 16)]}, grid=grid)
    (tmp_path / "list.csv").write_text("image,mask,patient_id\nct,rt.dcm,P1\n")
    cubes = read_list(tmp_path / "list.csv")
    assert len(cubes.rows) == 1
    center = [float(cubes.rows[0][f"centroid_{axis}"]) for axis in "xyz"]
    assert np.allclose(center, grid.to_mm((12.5, 27.5, 27.5)), atol=0.3)
