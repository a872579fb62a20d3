"""What one or two readers marked is found in the cubes, by the nodules that both tables name."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from medimg.training._blocks import IGNORED
from medimg.training.marks import mark_ignored

ORIGIN = (-100.0, -200.0)


def line(series, x, y, z, readers, malignancy="4"):
    column, row = (x - ORIGIN[0]) / 0.5, (y - ORIGIN[1]) / 0.5
    ratings = {f"malignancy_r{k}": malignancy for k in range(1, 5)}
    place = {"slice_z_mm": z, "column_px": column, "row_px": row, "pixel_spacing_mm": 0.5, "major_axis_mm": 6}
    return {"series_uid": series, "n_readers": readers, **place, **ratings}


@pytest.fixture
def cubes(small_cubes):
    ratings = {f"malignancy_r{k}": "4" for k in range(1, 5)}
    return replace(small_cubes, rows=tuple({**row, **ratings, "source_flipped": "0"} for row in small_cubes.rows))


def written(path, lines):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    return path


def test_a_mark_of_two_readers_lies_where_they_put_it(tmp_path, cubes):
    lines = [line("1.0", 25, 25, 25, 4), line("1.0", 40, 10, 30, 2), line("1.1", 25, 25, 25, 3)]
    assert mark_ignored(cubes, written(tmp_path / "table.csv", lines)) == 1
    assert cubes.mask[0][30, 10, 40] == IGNORED
    assert cubes.mask[0][30, 10, 25] == 0
    assert cubes.mask[0][25, 25, 25] == 1
    assert not (cubes.mask[1] == IGNORED).any()


def test_without_a_nodule_that_both_tables_name_nothing_is_marked(tmp_path, cubes):
    lines = [line("1.0", 25, 25, 25, 1), line("1.0", 40, 10, 30, 2)]
    assert mark_ignored(cubes, written(tmp_path / "table.csv", lines)) == 0


def test_a_turned_scan_is_left_alone(tmp_path, cubes):
    cubes = replace(cubes, rows=tuple({**row, "source_flipped": "1"} for row in cubes.rows))
    lines = [line("1.0", 25, 25, 25, 4), line("1.0", 40, 10, 30, 2)]
    assert mark_ignored(cubes, written(tmp_path / "table.csv", lines)) == 0
