"""The sixty series that ordinary loaders mis-place: none may be wrong in silence, and none refused that can be read."""

from __future__ import annotations

import numpy as np
import pytest

from medimg import readers
from medimg.values import Verdict
from tests.builders import hazards
from tests.builders.judge import judge

FITTING = {
    "load": {Verdict.EXACT, Verdict.NOTED},
    "warn": {Verdict.NOTED, Verdict.REPAIRED},
    "split": {Verdict.SPLIT},
    "refuse": {Verdict.REFUSED},
}
READ_AFTER_ALL = {"truncated_file"}  # the truth prefers a refusal; a file that cannot be decoded inside of a series is a gap here
HOLES_MM = {
    "missing_three": 16.0
}  # what is in a hole was not measured; a place in it takes the nearest slice, at most half a hole away


def read_folder(folder):
    studies, _ = readers.scan(folder)
    series = [item for study in studies for item in study.series]
    return series, [readers.read_series(item) for item in series if item.is_readable]


@pytest.mark.parametrize("name", hazards.NAMES)
def test_no_series_is_wrong_in_silence(name, tmp_path):
    truth, stacks = hazards.write(name, tmp_path)
    series, volumes = read_folder(tmp_path)
    words = {truth.verdict, *truth.accept}
    fitting = set().union(*(FITTING[word] for word in words))
    assert {item.verdict for item in series} <= fitting
    assert all(item.hazards for item in series if item.verdict is not Verdict.EXACT)
    if truth.verdict == "refuse" and name not in READ_AFTER_ALL:
        assert not volumes
        return
    assert len(volumes) == len(stacks)
    if "disks" in stacks[0]:
        return
    found = [judge(volume, stacks) for volume in volumes]
    for one in found:
        if name in HOLES_MM:
            assert one.off_mm <= HOLES_MM[name] / 2
            assert not one.lost
        else:
            assert one.right, one


def test_a_projection_keeps_its_stored_values_and_says_that_they_are_inverted(tmp_path):
    _, stacks = hazards.write("monochrome1_cr", tmp_path)
    series, (volume,) = read_folder(tmp_path)
    assert volume.inverted
    assert volume.grid.spacing_mm[1:] == (0.2, 0.2)
    background = np.median(volume.array)
    for disk in stacks[0]["disks"]:
        assert volume.array[0, int(disk["row"]), int(disk["col"])] == background - disk["above_background"]
    assert {hazard.kind for hazard in series[0].hazards} == {"projection", "inverted"}


def test_a_refusal_names_the_file_and_the_fault(tmp_path):
    hazards.write("conflicting_slice", tmp_path)
    (series,), _ = read_folder(tmp_path)
    (hazard,) = series.hazards
    assert hazard.kind == "conflicting-slices"
    assert "IM0013.dcm" in hazard.sentence
    assert "IM0025.dcm" in hazard.sentence


def test_slices_of_a_hole_are_filled_and_map_to_no_source(tmp_path):
    hazards.write("missing_three", tmp_path)
    (series,), (volume,) = read_folder(tmp_path)
    assert [place for place, source in enumerate(series.slice_of) if source is None] == [10, 11, 12]
    assert np.array_equal(volume.array[10], volume.array[9])
    assert np.array_equal(volume.array[12], volume.array[13])
    assert "11, 12, 13 of 24" in series.hazards[0].sentence


def test_measured_slices_keep_their_true_positions(tmp_path):
    _, (stack,) = hazards.write("jitter_large", tmp_path)
    (series,), _ = read_folder(tmp_path)
    true = sorted(float(plane.position[2]) for plane in stack["planes"])
    assert np.allclose([item.position_mm[2] for item in series.slices], true, atol=1e-5)
    shown = [source for source in series.slice_of if source is not None]
    assert shown == sorted(shown)
    assert len(set(shown)) == len(shown)
