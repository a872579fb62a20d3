"""Contours fill the pixels whose centres they hold, on the slices that they lie on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

import medimg
from medimg.errors import GeometryError, OptionError, ScanError
from tests.builders.rtstruct import structures
from tests.builders.study import CT, SERIES_UID, grid_of, study_result

SQUARE = ((10.4, 12.4), (10.4, 20.4), (16.4, 20.4), (16.4, 12.4))  # rows 11 to 16, columns 13 to 20
GEOMETRIES = {
    "axial": {},
    "tilted": {"grid": grid_of(tilt_deg=18.5)},
    "sagittal": {"grid": grid_of(directions=((1, 0, 0), (0, 0, -1), (0, 1, 0)))},
    "oblique": {"grid": grid_of(directions=((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (1.0, 0.0, 0.0)))},
    "prone": {"grid": grid_of(directions=((0, 0, 1), (0, -1, 0), (-1, 0, 0)))},
    "mirrored rows": {"grid": grid_of(directions=((0, 0, 1), (0, -1, 0), (1, 0, 0)))},
    "enhanced multi-frame": {"enhanced": True},
}


@pytest.fixture
def result(tmp_path):
    """An axial scan."""
    return study_result(tmp_path / "source", heat=False)


def box(mask, label):
    places = np.argwhere(mask.array == label)
    return places.min(axis=0).tolist(), places.max(axis=0).tolist(), len(places)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_contour_fills_the_pixels_whose_centres_it_holds(tmp_path, geometry):
    result = study_result(tmp_path / "source", heat=False, **GEOMETRIES[geometry])
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE), (5, *SQUARE)]}, grid=result.series.grid)
    for scan in (result.series, result.volume):
        mask = medimg.read_rtstruct(path, scan=scan)
        assert box(mask, 1) == ([4, 11, 13], [5, 16, 20], 2 * 6 * 8)
    other = medimg.read_rtstruct(path, scan=tmp_path / "source")  # a folder, whose grid may count slices the other way
    assert np.count_nonzero(other.array) == 96
    there, here = (np.sort(one.grid.to_mm(np.argwhere(one.array)), axis=0) for one in (other, mask))
    assert np.abs(there - here).max() < 0.01


def test_names_are_kept_and_made_fit_to_be_shown(tmp_path, result):
    path = structures(tmp_path / "rt.dcm", {"Lungen\x1b[31mflügel": [(4, *SQUARE)]}, grid=result.series.grid)
    mask = medimg.read_rtstruct(path, scan=result.series)
    assert mask.names[1].startswith("Lungen")
    assert mask.names[1].isprintable()
    assert mask.names[1].endswith("flügel")
    assert mask.segments[1].how_made == "MANUAL"
    assert mask.labels == {}


def test_a_contour_within_a_contour_is_a_hole(tmp_path, result):
    inner = ((12.4, 14.4), (12.4, 17.4), (14.4, 17.4), (14.4, 14.4))
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE), (4, *inner)]}, grid=result.series.grid)
    mask = medimg.read_rtstruct(path, scan=result.series)
    assert np.count_nonzero(mask.array) == 48 - 6
    assert not mask.array[4, 13:15, 15:18].any()


def test_a_keyhole_leaves_the_same_hole(tmp_path, result):
    """One contour that runs in along a channel, round the hole, and back the same way."""
    round_the_hole = ((12.4, 12.4), (12.4, 14.4), (14.4, 14.4), (14.4, 17.4), (12.4, 17.4), (12.4, 14.4), (12.4, 12.4))
    keyhole = (SQUARE[0], *round_the_hole, *SQUARE[:0:-1])
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *keyhole)]}, grid=result.series.grid)
    mask = medimg.read_rtstruct(path, scan=result.series)
    assert np.count_nonzero(mask.array) == 48 - 6
    assert not mask.array[4, 13:15, 15:18].any()


def test_areas_that_share_an_edge_share_no_pixel_and_leave_none_out(tmp_path, result):
    """Edges exactly through pixels' centres."""
    left, right = ((10, 10), (10, 15), (20, 15), (20, 10)), ((10, 15), (10, 22), (20, 22), (20, 15))
    path = structures(tmp_path / "rt.dcm", {"left": [(4, *left)], "right": [(4, *right)]}, grid=result.series.grid)
    mask = medimg.read_rtstruct(path, scan=result.series)
    assert np.count_nonzero(mask.array == 1) == 50
    assert np.count_nonzero(mask.array == 2) == 70


def test_a_circle_has_the_area_of_a_circle(tmp_path, result):
    grid = result.series.grid
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    middle = grid.to_mm((4, 19.5, 23.5))
    down, right = grid.directions[:, 1], grid.directions[:, 2]
    points = middle + 12.0 * (np.cos(angles)[:, None] * down + np.sin(angles)[:, None] * right)
    mask = medimg.read_rtstruct(structures(tmp_path / "rt.dcm", {"GTV": [points]}), scan=result.series)
    area = np.count_nonzero(mask.array) * grid.spacing_mm[1] * grid.spacing_mm[2]
    assert area == pytest.approx(np.pi * 12.0**2, rel=0.02)


def test_overlapping_rois_are_refused_or_the_smaller_one_stays_whole(tmp_path, result):
    small = ((12.4, 14.4), (12.4, 17.4), (14.4, 17.4), (14.4, 14.4))
    path = structures(tmp_path / "rt.dcm", {"Lung": [(4, *SQUARE)], "GTV": [(4, *small)]}, grid=result.series.grid)
    with pytest.raises(GeometryError, match=r"1 \(Lung\) and 2 \(GTV\) in 6 voxels.*segments=\[\.\.\.\]"):
        medimg.read_rtstruct(path, scan=result.series)
    mask = medimg.read_rtstruct(path, scan=result.series, overlap="smallest")
    assert [np.count_nonzero(mask.array == label) for label in (1, 2)] == [42, 6]
    assert "smallest" in mask.remarks[-1]
    assert box(medimg.read_rtstruct(path, scan=result.series, segments=["GTV"]), 2)[2] == 6
    with pytest.raises(OptionError, match="GTV"):
        medimg.read_rtstruct(path, scan=result.series, segments=["GTW"])


def tilted_square(grid, by):
    return grid.to_mm([(4, *corner) for corner in SQUARE]) + np.array([(0, 0, 0), (0, 0, 0), (0, 0, by), (0, 0, by)])


@pytest.mark.parametrize(
    ("contours", "words"),
    [
        (lambda grid: [tilted_square(grid, 3.0)], r"not planar on the scan's slices: its points lie 3 mm apart"),
        (lambda grid: [grid.to_mm([(4.4, *corner) for corner in SQUARE])], r"on no slice of the scan, 1 mm from the nearest"),
        (lambda grid: [grid.to_mm([(4, *corner) for corner in SQUARE]) * (1, 1, -1)], r"with the sign of z turned"),
        (lambda grid: [grid.to_mm([(40, *corner) for corner in SQUARE])], r"beyond the ends of the scan, 62\.5 mm"),
        (lambda grid: [grid.to_mm([(4, row, column - 16) for row, column in SQUARE])], r"beyond the edges"),
    ],
)
def test_a_contour_that_does_not_lie_on_a_slice_is_refused_with_what_is_off(tmp_path, result, contours, words):
    path = structures(tmp_path / "rt.dcm", {"GTV": contours(result.series.grid)})
    with pytest.raises(GeometryError, match=words):
        medimg.read_rtstruct(path, scan=result.series)


def test_what_lies_beyond_the_scan_can_be_left_out_and_is_said(tmp_path, result):
    grid = result.series.grid
    edge = [(row, column - 16) for row, column in SQUARE]
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE), (40, *SQUARE), (5, *edge)]}, grid=grid)
    mask = medimg.read_rtstruct(path, scan=result.series, cut=True)
    assert np.count_nonzero(mask.array[4]) == 48
    assert np.count_nonzero(mask.array[5]) == 6 * 5
    assert "1 of 3 contours" in mask.remarks[0]
    assert "edges" in mask.remarks[1]


def test_points_and_thin_contours_enclose_nothing_and_that_is_said(tmp_path, result):
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE), (5, *SQUARE[:2])]}, grid=result.series.grid)
    mask = medimg.read_rtstruct(path, scan=result.series)
    assert np.count_nonzero(mask.array) == 48
    assert "1 contours of ROI 1 (GTV) are points or lines" in mask.remarks[0]


def test_contours_on_every_other_slice_are_said(tmp_path, result):
    path = structures(tmp_path / "rt.dcm", {"GTV": [(place, *SQUARE) for place in (2, 4, 6)]}, grid=result.series.grid)
    assert "at least 2 slices apart" in medimg.read_rtstruct(path, scan=result.series).remarks[0]


def test_another_patient_another_frame_and_a_contradiction_are_refused(tmp_path, result):
    grid = result.series.grid
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE)]}, grid=grid, PatientID="another")
    with pytest.raises(ScanError, match="two patients"):
        medimg.read_rtstruct(path, scan=result.series)
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE)]}, grid=grid)
    dataset = pydicom.dcmread(path)
    image = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CT, f"{SERIES_UID}.9"
    dataset.ROIContourSequence[0].ContourSequence[0].ContourImageSequence = [image]
    dataset.save_as(path)
    with pytest.raises(GeometryError, match=r"10 mm from the slice that it names"):
        medimg.read_rtstruct(path, scan=result.series)
    dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.9"
    dataset.save_as(path)
    with pytest.raises(GeometryError, match="another frame of reference"):
        medimg.read_rtstruct(path, scan=result.series)


def test_a_contour_on_a_slice_that_is_gone_keeps_its_place(tmp_path, result):
    path = structures(tmp_path / "rt.dcm", {"GTV": [(place, *SQUARE) for place in (3, 4, 5)]}, grid=result.series.grid)
    gap = 4
    series = replace(
        result.series,
        slices=tuple(item for place, item in enumerate(result.series.slices) if place != gap),
        slice_of=tuple(None if place == gap else place - (place > gap) for place in range(result.series.grid.shape[0])),
    )
    assert box(medimg.read_rtstruct(path, scan=series), 1) == ([3, 11, 13], [5, 16, 20], 3 * 48)


def test_no_sentence_tells_who_it_is(tmp_path, result):
    """A name of an ROI may be the patient's: the mask has it, sentences do not."""
    rois = {"Mustermann lung": [(4, *SQUARE)], "GTV": [(4, *SQUARE)], "left": []}
    path = structures(tmp_path / "rt.dcm", rois, grid=result.series.grid, PatientName="Mustermann^Jörg")
    with pytest.raises(GeometryError, match=r"1 and 2 \(GTV\)") as told:
        medimg.read_rtstruct(path, scan=result.series)
    assert "Mustermann" not in str(told.value)
    with pytest.raises(OptionError, match=r"GTV") as told:
        medimg.read_rtstruct(path, scan=result.series, segments=["Muster"])
    assert "Mustermann" not in str(told.value).replace("cannot be Muster", "")
    mask = medimg.read_rtstruct(path, scan=result.series, overlap="smallest")
    assert mask.names[1] == "Mustermann lung"
    assert not any("Mustermann" in remark for remark in mask.remarks)


@pytest.mark.parametrize(
    "again",
    [SQUARE, SQUARE[1:] + SQUARE[:1], SQUARE[::-1], (*SQUARE, SQUARE[0])],
    ids=["the same", "from another corner", "the other way round", "closed"],
)
def test_a_contour_that_is_there_twice_does_not_undo_itself(tmp_path, result, again):
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE), (4, *again)]}, grid=result.series.grid)
    mask = medimg.read_rtstruct(path, scan=result.series)
    assert np.count_nonzero(mask.array) == 48
    assert "there twice" in mask.remarks[0]


def test_contours_that_cross_each_other_are_said(tmp_path, result):
    """Even-odd is what most readers take, and it may not be what was meant."""
    beside = tuple((row, column + 4) for row, column in SQUARE)
    inner = ((12.4, 14.4), (12.4, 17.4), (14.4, 17.4), (14.4, 14.4))
    far = tuple((row + 15, column + 15) for row, column in SQUARE)
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE), (4, *beside)]}, grid=result.series.grid)
    mask = medimg.read_rtstruct(path, scan=result.series)
    assert "cross or cover each other on 1 slices" in mask.remarks[0]
    assert np.count_nonzero(mask.array) == 48
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE), (4, *inner), (4, *far)]}, grid=result.series.grid)
    assert medimg.read_rtstruct(path, scan=result.series).remarks == ()
    nearly = tuple((row, column + 0.02) for row, column in SQUARE)
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE), (4, *nearly), (5, *SQUARE)]}, grid=result.series.grid)
    assert "cross or cover each other on 1 slices" in medimg.read_rtstruct(path, scan=result.series).remarks[0]


def test_rois_of_two_frames_of_reference_are_counted(tmp_path, result):
    path = structures(tmp_path / "rt.dcm", {"GTV": [(4, *SQUARE)], "node": [(6, *SQUARE)]}, grid=result.series.grid)
    dataset = pydicom.dcmread(path)
    dataset.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.9"
    dataset.save_as(path)
    with pytest.raises(GeometryError, match="in 2 frames of reference"):
        medimg.read_rtstruct(path, scan=result.series)
