"""A mask holds whole labels, never something between two."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import GeometryError
from medimg.values import Code, Grid, Mask

GRID = Grid.straight((1, 1, 3), spacing_mm=(1, 1, 1))


@pytest.mark.parametrize(
    ("values", "given", "kept"),
    [
        ([0, 1, 1], bool, np.uint8),
        ([0, 2, 255], np.int64, np.uint8),
        ([0, 2, 256], np.int64, np.uint16),
        ([0, 1, 2], np.uint16, np.uint16),
    ],
)
def test_labels_are_kept_in_the_smallest_kind_that_holds_them(values: list[int], given: type, kept: type) -> None:
    mask = Mask(array=np.array([[values]], dtype=given), grid=GRID)
    assert mask.array.dtype == kept
    assert mask.array.ravel().tolist() == values


@pytest.mark.parametrize("array", [np.array([[[0, 0.5, 1]]]), np.array([[[0, -1, 1]]]), np.array([[[0, 1, 70_000]]])])
def test_what_is_no_label_is_refused(array: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="whole labels of 0 to 65535"):
        Mask(array=array, grid=GRID)


def test_an_array_that_does_not_fit_its_grid_is_refused() -> None:
    with pytest.raises(GeometryError, match="does not fit"):
        Mask(array=np.zeros((1, 3, 1), np.uint8), grid=GRID)


def test_one_label_is_asked_for_by_its_number() -> None:
    mask = Mask(array=np.array([[[0, 2, 1]]]), grid=GRID, labels={2: Code("SCT", "39607008", "Lung")})
    assert mask.of(2).ravel().tolist() == [False, True, False]
    assert not mask.is_empty
    assert Mask(array=np.zeros((1, 1, 3), bool), grid=GRID).is_empty


def test_voxels_and_labels_are_its_own() -> None:
    labels = {1: Code("SCT", "39607008", "Lung")}
    mask = Mask(array=np.zeros((1, 1, 3), bool), grid=GRID, labels=labels)
    labels.clear()
    assert mask.labels[1].meaning == "Lung"
    with pytest.raises(ValueError, match="read-only"):
        mask.array[0, 0, 0] = 1


def test_the_labels_that_are_there_and_what_they_are_called():
    from medimg.values import Code, Segment

    array = np.zeros((2, 3, 4), np.uint16)
    array[0, 0, 0], array[1, 2, 3] = 300, 7
    mask = Mask(
        array=array,
        grid=Grid.straight(array.shape, spacing_mm=(1, 1, 1)),
        labels={7: Code("SCT", "27925004", "Nodule"), 300: Code("SCT", "4147007", "Mass")},
        segments={300: Segment(name="GTV\x1b")},
    )
    assert mask.present == (7, 300)
    assert all(type(label) is int for label in mask.present)
    assert mask.names == {7: "Nodule", 300: "GTV\N{REPLACEMENT CHARACTER}"}
    assert mask.tight().segments == mask.segments
    assert Mask(array=array > 400, grid=mask.grid).present == ()


def test_each_label_has_its_box():
    array = np.zeros((4, 5, 6), np.uint16)
    array[1, 2, 3], array[2:4, 1, 4], array[0, 4, 5] = 9, 300, 9
    mask = Mask(array=array, grid=Grid.straight(array.shape, spacing_mm=(1, 1, 1)))
    assert mask.box(9) == (slice(0, 2), slice(2, 5), slice(3, 6))
    assert mask.box(300) == (slice(2, 4), slice(1, 2), slice(4, 5))
    assert [mask.box(label) for label in (0, 8, 301)] == [None] * 3
    assert Mask(array=array > 300, grid=mask.grid).box(1) is None


def test_the_boxes_of_hundreds_of_labels_are_found_at_one_look():
    """As many looks as labels took half a minute in a whole chest."""
    from time import process_time

    array = np.zeros((60, 200, 200), np.uint16)
    array[::59, ::199, ::199] = np.arange(1, 9).reshape(2, 2, 2)  # at the corners, so that no look is shortened
    array[30, 100, :200] = np.arange(9, 209)

    def seconds(labels):
        mask = Mask(array=array, grid=Grid.straight(array.shape, spacing_mm=(1, 1, 1)))
        start = process_time()
        assert all(mask.box(label) for label in labels)
        return process_time() - start

    seconds([1])  # imports
    one = min(seconds([1]) for _ in range(3))
    assert seconds(range(1, 209)) < 10 * one


def test_how_a_segment_was_made_is_one_of_dicoms_words():
    from medimg.values import Segment

    with pytest.raises(ValueError, match="MANUAL"):
        Segment(how_made="by hand")
