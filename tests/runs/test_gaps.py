"""What lies on slices that nobody measured is said, and is no finding if nothing else carries it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medimg.runs._gaps import PARTLY, with_gaps_said
from tests.builders.study import balls, grid_of, study_result


@pytest.fixture
def result(tmp_path):
    """Three balls on slices of 2.5 mm: the first over slices 2 to 6, the second around 8, the third around 12."""
    grid = grid_of()
    places = [(grid.to_mm((index, 20, column)), radius) for index, column, radius in ((4, 12, 5.5), (8, 24, 2.0), (12, 36, 3.0))]
    return study_result(tmp_path, mask=balls(grid, places), heat=False)


def without(result, *missing):
    slice_of = tuple(None if index in missing else index for index in range(result.series.grid.shape[0]))
    return with_gaps_said(result.prediction, replace(result.series, slice_of=slice_of))


def test_a_whole_series_says_nothing(result):
    assert without(result) is result.prediction


def test_a_gap_is_named_even_if_nothing_lies_in_it(result):
    said = without(result, 0)
    assert said.findings == result.prediction.findings
    assert "1 slice was not measured, of 16" in said.not_evaluated[-1].reason


def test_a_finding_that_reaches_into_a_gap_says_so(result):
    first, *others = without(result, 4).findings
    assert PARTLY in first.remarks
    assert not any(finding.remarks for finding in others)


def test_what_lies_in_a_gap_only_is_no_finding_and_the_others_move_up(result):
    said = without(result, 7, 8, 9)
    assert [finding.id for finding in said.findings] == [1, 2]
    assert said.findings[1].center_mm == result.prediction.findings[2].center_mm
    assert np.array_equal(said.mask.array == 2, result.prediction.mask.array == 3)
    assert set(said.mask.labels) == {1, 2}
    assert any("not measured only" in item.reason for item in said.not_evaluated)
