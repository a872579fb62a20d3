"""From what a network draws to findings: neighbours stay apart, and what a reader must know is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medimg.engine._accept import require_region
from medimg.engine._drawn import onto
from medimg.engine._findings import findings_of
from medimg.engine._lesions import Lesion
from medimg.engine._remarks import CUT
from medimg.engine.cubes import box_under, cube_grid
from medimg.models import load_package
from medimg.values import Grid, Mask, Volume

CARD = load_package("lung-nodule").card
NATIVE = Grid.straight((60, 70, 80), spacing_mm=(1, 1, 1), origin_mm=(-40, -35, -30))


def block(*boxes, center=(0.0, 0.0, 0.0), suspicion=0.0):
    grid = cube_grid(center, edge=40, spacing_mm=1.0)
    outline = np.full(grid.shape, 0.05, np.float32)
    for start, size in boxes:
        outline[tuple(slice(a, a + b) for a, b in zip(start, size, strict=True))] = 0.95
    logits = {line.name: suspicion for line in CARD.stage("classify").scores}
    return Lesion(grid=grid, outline=outline, logits=logits, peak=0.5)


def ball(radius, *, center=(0.0, 0.0, 0.0), suspicion=0.0):
    lesion = block(center=center, suspicion=suspicion)
    place = np.stack(np.indices(lesion.grid.shape), axis=-1) - 20
    distance = np.linalg.norm(place, axis=-1)
    return replace(lesion, outline=(1 / (1 + np.exp(2 * (distance - radius)))).astype(np.float32))


def volume():
    return Volume(array=np.full(NATIVE.shape, -800, np.int16), grid=NATIVE, modality="CT", unit="HU")


def region(labels=None):
    array = np.zeros(NATIVE.shape, np.uint8)
    array[5:-5, 5:-5, 5:40], array[5:-5, 5:-5, 42:-5] = 2, 1
    return Mask(array=array if labels is None else labels, grid=NATIVE)


def found(*lesions):
    return findings_of(CARD, volume(), region(), [(0.9 - 0.01 * number, lesion) for number, lesion in enumerate(lesions)])


def voxels(lesion):
    return np.count_nonzero(onto(NATIVE, box_under(NATIVE, lesion.grid), lesion, threshold=0.5))


def test_an_outline_takes_nothing_of_its_neighbour():
    alone = block(((16, 16, 16), (9, 9, 9)))
    beside = block(((16, 16, 16), (9, 9, 9)), ((16, 16, 26), (9, 9, 9)))
    assert voxels(alone) == 9**3
    assert voxels(beside) == 9**3


def test_the_most_suspicious_is_first_and_voxels_belong_to_one():
    findings, mask, _ = found(ball(5, center=(-15, 0, 0)), ball(6, center=(15, 0, 0), suspicion=3.0))
    assert [finding.id for finding in findings] == [1, 2]
    assert findings[0].center_mm[0] == pytest.approx(15, abs=0.2)
    assert findings[0].laterality.meaning == "Left"
    assert findings[1].laterality.meaning == "Right"
    for finding in findings:
        assert np.count_nonzero(mask.array == finding.id) == pytest.approx(finding.measures.volume_mm3)


def test_one_lesion_seen_twice_is_one_finding():
    assert len(found(ball(6), ball(6, center=(1, 1, 0)))[0]) == 1


def test_what_is_smaller_than_the_model_was_made_for_is_no_finding_and_is_told():
    findings, mask, small = found(ball(0.9), ball(5, center=(15, 0, 0)))
    assert len(findings) == 1
    assert set(np.unique(mask.array)) == {0, 1}
    assert "1 place is smaller" in small[0].reason


def test_what_is_larger_says_so():
    (finding,), _, _ = found(ball(16.5))
    assert any("more than 30 mm" in remark for remark in finding.remarks)


def test_what_the_edge_of_the_scan_cuts_says_so():
    (cut,), _, _ = found(ball(6, center=NATIVE.to_mm((30, 35, 78)).tolist()))
    (whole,), _, _ = found(ball(6))
    assert CUT in cut.remarks
    assert not whole.remarks


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((slice(0, 50), slice(5, 65), slice(5, 75)), "the lower end of"),
        ((slice(10, 60), slice(5, 65), slice(5, 75)), "the upper end of"),
        ((slice(5, 55), slice(0, 65), slice(5, 75)), "the front of"),
        ((slice(5, 55), slice(5, 65), slice(5, 80)), "the left side of"),
        ((slice(5, 55), slice(5, 65), slice(5, 75)), ""),
    ],
)
@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_where_the_lungs_go_on_beyond_the_scan_is_said_in_the_patients_words(box, words, axis):
    labels = np.zeros(NATIVE.shape, np.uint8)
    labels[box] = 1
    mask = region(labels)
    if axis is not None:
        mask = Mask(array=np.flip(labels, axis), grid=NATIVE.flip(axis))
    said = require_region(CARD, mask)
    assert words in said if words else said == ""
