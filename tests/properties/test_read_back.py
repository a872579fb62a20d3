"""Wherever slices lie, a SEG and contours come back to the very voxels they were drawn on."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import medimg
from medimg.reports import seg as seg_object
from medimg.values import Grid, Mask
from tests.builders.rtstruct import structures
from tests.builders.study import FRAME, NODULE, study_result

EXAMPLES = 25  # each writes a series


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """A grid turned in any way, tilted along its rows or columns as a gantry is, anywhere."""
    turn = np.eye(3)
    for axis in range(3):
        angle = draw(st.floats(-3.1, 3.1))
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    shear = np.eye(3)
    shear[1, 0], shear[2, 0] = draw(st.floats(-0.5, 0.5)), draw(st.floats(-0.5, 0.5))
    spacing = [draw(st.floats(0.5, 6)), draw(st.floats(0.3, 2)), draw(st.floats(0.3, 2))]
    affine = np.eye(4)
    affine[:3, :3] = turn @ shear @ np.diag(spacing)
    affine[:3, 3] = [draw(st.floats(-400, 400)) for _ in range(3)]
    shape = (draw(st.integers(4, 7)), draw(st.integers(5, 9)), draw(st.integers(5, 9)))
    return Grid(shape, affine, frame_of_reference=FRAME)


@given(grids(), st.data())
@settings(max_examples=EXAMPLES)
def test_a_seg_comes_back_voxel_by_voxel(grid: Grid, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    labels = rng.choice([0, 0, 0, 1, 2], size=grid.shape).astype(np.uint8)
    labels[0, 0, 0], labels[-1, -1, -1] = 1, 2
    gaps = data.draw(st.sets(st.integers(1, grid.shape[0] - 2), max_size=grid.shape[0] - 3))
    mask = Mask(array=labels, grid=grid, labels={1: NODULE, 2: NODULE})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = study_result(folder / "scan", heat=False, mask=mask, gaps=tuple(gaps))
        (path,) = seg_object.write(result, folder)
        read = medimg.read_seg(path, scan=result.series)
        measured = [place for place, origin in enumerate(result.series.slice_of) if origin is not None]
        assert np.array_equal(read.array[measured], labels[measured])
        assert read.grid == grid
        again = medimg.read_seg(path, scan=folder / "scan")  # the reader's own grid may count the other way
        wanted = np.zeros_like(labels)
        wanted[measured] = labels[measured]
        for label in (1, 2):
            where = again.grid.to_index(grid.to_mm(np.argwhere(wanted == label)))
            index = np.rint(where).astype(int)
            assert np.abs(where - index).max() < 0.01 if not gaps else True
            assert (again.array[tuple(index.T)] == label).all()


@given(grids(), st.data())
@settings(max_examples=EXAMPLES)
def test_a_contour_fills_what_it_holds(grid: Grid, data: st.DataObject) -> None:
    """A convex contour: a pixel is in where its centre is on the inner side of every edge."""
    rows, columns = grid.shape[1:]
    angles = np.sort(data.draw(st.lists(st.floats(0, 6.28), min_size=3, max_size=8, unique=True)))
    reach = 0.45 * (min(rows, columns) - 1)
    points = np.stack([(rows - 1) / 2 + reach * np.cos(angles), (columns - 1) / 2 + reach * np.sin(angles)], axis=1)
    place = data.draw(st.integers(0, grid.shape[0] - 1))
    lps = grid.to_mm(np.concatenate([np.full((len(points), 1), place), points], axis=1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = study_result(folder / "scan", heat=False, mask=_dot(grid))
        path = structures(folder / "rt.dcm", {"roi": [lps]})
        array = medimg.read_rtstruct(path, scan=result.series).array
    centres = np.stack(np.indices((rows, columns)), axis=-1)
    edges = np.roll(points, -1, axis=0) - points
    apart = centres[:, :, None] - points
    side = edges[:, 0] * apart[..., 1] - edges[:, 1] * apart[..., 0]
    certain = np.abs(side / np.maximum(np.linalg.norm(edges, axis=1), 1e-9)).min(axis=-1) > 1e-2  # millimetres are rounded
    inside = (side > 0).all(axis=-1)
    assert np.array_equal(array[place][certain] > 0, inside[certain])
    assert not np.delete(array, place, axis=0).any()


def _dot(grid: Grid) -> Mask:
    array = np.zeros(grid.shape, np.uint8)
    array[1, 1, 1] = 1
    return replace(Mask(array=array, grid=grid), labels={1: NODULE})
