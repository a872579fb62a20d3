"""Crops for training: what is drawn beside the image moves with it, and nothing lies beyond an image but its mirror."""

from __future__ import annotations

import numpy as np
import torch

from medimg.training._augment import change_values, pose_crops, poses
from medimg.training._blocks import SLACK, Stack, peak_map
from medimg.training.detect_centres import Crops as DetectorCrops
from medimg.training.detect_centres import train_detector
from medimg.training.mine import Places
from medimg.training.outline_and_rate import EDGE, RATINGS, Crops, train_outline


def stack(size=30):
    hu = np.full((2, size, size, size), -800, np.int16)
    hu[:, 12:15, 13:17, 18:22] = 300
    return Stack(hu, (hu == 300).astype(np.uint8), device="cpu")


def test_labels_move_with_the_image_in_every_pose():
    one = stack()
    hu, label = one.blocks(np.zeros(40, int), np.tile([14, 14, 18], (40, 1)), 16)
    crops = pose_crops(torch.stack([hu.float(), label.float()], dim=1), poses(40, np.random.default_rng(0)), 16)
    bright, inside = crops[:, 0] > -250, crops[:, 1] > 0.5
    assert bright.sum() > 40 * 20
    assert (bright == inside).float().mean() > 0.9999


def test_poses_keep_lengths_but_for_their_scale():
    for pose in poses(50, np.random.default_rng(1)):
        scale = np.cbrt(abs(np.linalg.det(pose)))
        assert 0.9 < scale < 1.1
        np.testing.assert_allclose(pose @ pose.T, scale**2 * np.eye(3), atol=1e-5)


def test_a_block_beyond_the_edge_is_the_mirror_image():
    array = np.arange(10**3, dtype=np.int16).reshape(1, 10, 10, 10)
    side = 4 + SLACK
    (hu, _) = Stack(array, np.zeros_like(array, np.uint8), device="cpu").blocks(
        np.array([0]), np.array([[side // 2 - 2, 8, 8]]), 4
    )
    np.testing.assert_array_equal(hu[0, :2, :10, :10], array[0, 1::-1])
    np.testing.assert_array_equal(hu[0, 2:12, :10, :10], array[0])
    np.testing.assert_array_equal(hu[0, 12:14, :10, :10], array[0, :-3:-1])


def test_images_of_different_sizes_are_mirrored_at_their_own_edges():
    small, large = np.full((4, 4, 4), 7, np.int16), np.full((20, 20, 20), 9, np.int16)
    some = Stack([small, large], [np.zeros_like(small, np.uint8), np.zeros_like(large, np.uint8)], device="cpu")
    hu, _ = some.blocks(np.array([0, 1]), np.array([[2, 2, 2], [10, 10, 10]]), 8)
    assert set(hu[0].unique().tolist()) == {7}
    assert set(hu[1].unique().tolist()) == {9}


def test_values_change_but_stay_what_they_were():
    hu = torch.full((64, 1, 16, 16, 16), -800.0)
    hu[:, :, 6:10, 6:10, 6:10] = 100
    changed = change_values(hu, torch.Generator().manual_seed(0))
    assert changed.shape == hu.shape
    assert not torch.equal(changed, hu)
    inside, outside = changed[:, 0, 7:9, 7:9, 7:9].mean((1, 2, 3)), changed[:, 0, :3].mean((1, 2, 3))
    assert (inside - outside > 400).all()
    assert (inside - 100).abs().median() < 120


def test_a_peak_lies_on_its_centre():
    heat = peak_map((20, 20, 20), [(4, 5, 6, 6.0)])
    assert np.unravel_index(heat.argmax(), heat.shape) == (4, 5, 6)


def test_crops_of_nodules_carry_outline_and_ratings_and_others_neither(small_cubes):
    places = Places(of_cubes=np.array([[0, 10, 10, 10], [1, 40, 40, 40]]), of_chests=np.zeros((0, 4), int))
    hu, outline, ratings, real = Crops(small_cubes, places, seed=0, nodules=4, others=2).batch()
    assert hu.shape == outline.shape == (6, 1, EDGE, EDGE, EDGE)
    assert ratings.shape == (6, len(RATINGS) - 1)
    assert real.tolist() == [1, 1, 1, 1, 0, 0]
    assert (outline[:4].sum((1, 2, 3, 4)) > 50).all()
    assert outline[4:].sum() == 0
    assert torch.isnan(ratings[4:]).all()
    assert (ratings[:4, 0] == 0.75).all()


def test_the_detectors_peak_lies_in_the_nodule(small_cubes):
    crops = DetectorCrops(small_cubes, [], seed=0, of_cubes=20)
    _, outline, heat, weight = crops.batch()
    peaks = heat.amax((1, 2, 3, 4)) > 0.9
    assert peaks.any()
    assert (outline[peaks] * (heat[peaks] > 0.9)).amax((1, 2, 3, 4)).min() > 0.5
    assert weight.min() > 0.999


def test_a_step_of_each_network_leaves_a_checkpoint_of_finite_weights(small_cubes, tmp_path):
    some = {"steps": 25, "limit_s": 1e-3, "tell": lambda line: None}
    train_outline(small_cubes, checkpoint=tmp_path / "outline.pt", nodules_a_step=2, others_a_step=0, **some)
    train_detector(small_cubes, [], checkpoint=tmp_path / "detect.pt", cubes_a_step=2, **some)
    for name in ("outline", "detect"):
        state = torch.load(tmp_path / f"{name}.pt", weights_only=True)
        assert state["step"] == 1
        assert all(value.isfinite().all() for value in state["average"].values())
