"""A key image shows the finding and says by itself what it is."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.drawing import draw_key_image
from medimg.errors import OptionError
from medimg.measures import diameters
from tests.builders.study import study_result

OUTLINE = np.array((255, 200, 0))


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return study_result(tmp_path_factory.mktemp("study"))


def draw(result, **options):
    mask = result.prediction.mask
    size = diameters(mask, label=1)
    known = {"label": 1, "slice_index": size.slice_index, "notice": "AI OUTPUT", "size_px": 256}
    return draw_key_image(result.volume, mask, **(known | options))


def yellow(picture):
    return (picture == OUTLINE).all(axis=-1)


def test_two_squares_with_text_above_and_below(result):
    picture = draw(result, title=["Nodule 1", "10 mm"])
    assert picture.shape[1:] == (512, 3)
    assert picture.shape[0] > 256 + 3 * 13
    bare = draw(result)
    assert picture.shape[0] > bare.shape[0]
    assert picture[:30].max() > 200, "the title is there"


def test_the_outline_is_on_the_left_and_the_evidence_on_the_right(result):
    picture = draw(result, heatmap=result.heatmaps[0])
    left, right = picture[:, :256].astype(int), picture[:, 256:].astype(int)
    assert np.count_nonzero(yellow(picture)[20:270, :256]) > 50
    colourful = np.abs(right[..., 0] - right[..., 2]) > 40
    assert np.count_nonzero(colourful) > np.count_nonzero(np.abs(left[..., 0] - left[..., 2]) > 40) + 300


def test_without_evidence_the_right_shows_the_whole_slice(result):
    assert not np.array_equal(draw(result), draw(result, heatmap=result.heatmaps[0]))


def test_a_long_notice_is_broken_into_lines(result):
    short, long = draw(result, notice="AI"), draw(result, notice="not a medical device " * 10)
    assert long.shape[0] > short.shape[0]
    below = yellow(long)[short.shape[0] - 20 :]
    assert below.any()
    assert not below[:, -4:].any(), "nothing runs over the edge"


def test_a_label_that_is_not_there_is_refused(result):
    with pytest.raises(OptionError, match="label"):
        draw(result, label=9)
