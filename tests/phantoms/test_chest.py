"""The chest phantom is a chest, and its truth is what stands in its voxels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, label

from medimg.errors import OptionError
from medimg.phantoms import chest


@pytest.fixture(scope="module")
def made():
    return chest()


@pytest.fixture(scope="module")
def truth(example_dicoms):
    return json.loads((example_dicoms / "truth.json").read_text())


@pytest.fixture(scope="module")
def lungs(made):
    """The two largest pieces of air-filled tissue that do not reach the edge of the picture, as air and table do."""
    scan = made[0].array
    pieces, _ = label(scan < -500)
    sizes = np.bincount(pieces.ravel())
    sizes[[0, *np.unique(pieces[:, :, 0]), *np.unique(pieces[:, 0])]] = 0
    return np.isin(pieces, np.argsort(sizes)[-2:])


def test_grid_is_axial_and_whole(made):
    scan, mask = made
    assert scan.grid.axis_codes == "SPL"
    assert scan.grid.spacing_mm == pytest.approx((2.5, 1.0, 1.0))
    assert mask.grid == scan.grid
    assert scan.array.dtype == np.int16
    assert (scan.modality, scan.unit) == ("CT", "HU")


def test_values_are_steps_of_4_within_the_scanners_range(made):
    values = np.unique(made[0].array)
    assert not ((values + 1024) % 4).any()
    assert values.min() >= -1024
    assert 400 < values.max() <= 3064


def test_lungs_are_as_large_and_as_airy_as_lungs(made, lungs):
    scan = made[0]
    z, y, x = (np.ptp(axis) for axis in np.nonzero(lungs))
    assert 200 <= z * 2.5 <= 240
    assert 230 <= x <= 280
    assert 130 <= y <= 190
    assert 3000 < lungs.sum() * scan.grid.voxel_volume_mm3 / 1000 < 6000  # ml at full breath
    tissue = scan.array[binary_erosion(lungs, iterations=3)]
    assert -890 < np.median(tissue) < -800


def test_the_lung_is_denser_at_the_back(made, lungs):
    scan, inner = made[0].array, binary_erosion(lungs, iterations=2)
    rows = np.nonzero(inner.any(axis=(0, 2)))[0]
    front, back = rows[: len(rows) // 4], rows[-len(rows) // 4 :]
    rise = np.median(scan[:, back][inner[:, back]]) - np.median(scan[:, front][inner[:, front]])
    assert 15 < rise < 70


@pytest.mark.parametrize(
    ("what", "point", "low", "high"),
    [
        ("heart", (20.0, -34.0, -226.0), 25, 60),
        ("aorta, going down", (25.0, 35.0, -192.0), 25, 60),
        ("wind pipe", (0.0, 6.0, -112.0), -1024, -940),
        ("liver", (-60.0, -10.0, -296.0), 40, 80),
        ("air in front of the chest", (-155.0, -110.0, -200.0), -1010, -990),
    ],
)
def test_organs_have_their_hounsfield_units(made, what, point, low, high):
    scan = made[0]
    z, y, x = np.rint(scan.grid.to_index(point)).astype(int)
    piece = scan.array[z - 1 : z + 2, y - 3 : y + 4, x - 3 : x + 4]
    assert low <= piece.mean() <= high, what


def test_noise_is_that_of_a_soft_kernel(made):
    scan = made[0]
    z, y, x = np.rint(scan.grid.to_index((20.0, -34.0, -226.0))).astype(int)
    heart = scan.array[z - 2 : z + 3, y - 8 : y + 9, x - 8 : x + 9]
    assert 10 < heart.std() < 25


def test_there_are_two_solid_nodules_and_one_of_ground_glass(truth):
    assert sorted(nodule["kind"] for nodule in truth["nodules"]) == ["ground glass", "solid", "solid"]


def test_truth_and_mask_agree(made, truth):
    scan, mask = made
    assert truth["frame_of_reference"] == scan.grid.frame_of_reference
    assert [nodule["label"] for nodule in truth["nodules"]] == sorted(mask.labels)
    for nodule in truth["nodules"]:
        voxels = np.argwhere(mask.of(nodule["label"]))
        assert np.linalg.norm(scan.grid.to_mm(voxels.mean(axis=0)) - nodule["center_mm"]) < 0.5
        assert len(voxels) * scan.grid.voxel_volume_mm3 == pytest.approx(nodule["volume_mm3"], rel=0.05)
        assert scan.array[mask.of(nodule["label"])].mean() == pytest.approx(nodule["mean_hu"], abs=0.1)


@pytest.mark.parametrize(("kind", "threshold_hu"), [("solid", -400), ("ground glass", -700)])
def test_truth_and_voxels_agree(made, truth, kind, threshold_hu):
    """What is brighter than the threshold round the centre, found without the mask, lies where the truth says."""
    scan = made[0]
    offsets = np.indices((9, 25, 25)).reshape(3, -1).T - (4, 12, 12)
    for nodule in (each for each in truth["nodules"] if each["kind"] == kind):
        index = np.rint(scan.grid.to_index(nodule["center_mm"])).astype(int)
        near = index + offsets
        gaps = np.linalg.norm(scan.grid.to_mm(near) - nodule["center_mm"], axis=1)
        near = near[gaps < 0.62 * nodule["diameter_mm"]]  # no further, or neighbouring vessels and ribs are in it
        bright = near[scan.array[tuple(near.T)] > threshold_hu]
        assert np.linalg.norm(scan.grid.to_mm(bright.mean(axis=0)) - nodule["center_mm"]) < 0.5
        assert len(bright) * scan.grid.voxel_volume_mm3 == pytest.approx(nodule["volume_mm3"], rel=0.25)


def test_a_seed_below_0_is_refused():
    with pytest.raises(OptionError, match="seed"):
        chest(seed=-1)
