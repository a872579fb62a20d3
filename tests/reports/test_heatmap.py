"""heatmap.nii.gz has each finding's evidence at its own millimetres, all on one grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medimg.reports import heatmap as heatmap_object
from medimg.values import Grid, Heatmap
from tests.builders.study import grid_of, heat_of, study_result

OBLIQUE = ((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (1.0, 0.0, 0.0))


def load(result, folder):
    import nibabel

    (path,) = heatmap_object.write(result, folder)
    image = nibabel.load(path)
    return np.asarray(image.dataobj), image.affine


def peak_mm(channel, affine):
    index = np.unravel_index(channel.argmax(), channel.shape)
    return (affine @ (*index, 1))[:3] * (-1, -1, 1)


def test_each_channel_peaks_at_its_finding(tmp_path):
    result = study_result(tmp_path / "source")
    data, affine = load(result, tmp_path)
    assert data.dtype == np.float32
    assert data.shape[3] == 2
    for finding in result.findings:
        assert np.abs(peak_mm(data[..., finding.id - 1], affine) - finding.center_mm).max() <= 1.0
        assert 0.9 < data[..., finding.id - 1].max() <= 1
    assert np.array_equal(affine[:3, :3], np.diag([-1, -1, 1]))
    assert np.array_equal(affine[:3, 3], np.round(affine[:3, 3]))


def test_a_map_on_an_oblique_grid_lands_at_its_millimetres(tmp_path):
    result = study_result(tmp_path / "source")
    finding = result.findings[0]
    grid = grid_of(shape=(21, 23, 25), spacing_mm=(1.5, 0.8, 0.7), directions=OBLIQUE, center=finding.center_mm)
    peak = grid.to_mm((6, 15, 9))
    far = ((grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1)) - peak) ** 2).sum(axis=-1)
    array = np.exp(-far / 18).astype(np.float32)
    oblique = Heatmap(array=array, grid=grid, finding_id=1, target="suspicion", method="gradcam")
    data, affine = load(replace(result, heatmaps=(oblique,)), tmp_path)
    assert np.abs(peak_mm(data[..., 0], affine) - peak).max() <= 1.0
    assert not data[..., 1].any()


def test_many_findings_far_apart_stay_within_the_limit(tmp_path):
    result = study_result(tmp_path / "source")
    box = Grid.straight((300, 300, 300), spacing_mm=(1, 1, 1))
    corner = heat_of(result.prediction.mask, replace(result.findings[0], center_mm=(12, 12, 12)))
    other = heat_of(result.prediction.mask, replace(result.findings[1], center_mm=(288, 288, 288)))
    grid = heatmap_object.common_grid((corner, other), channels=20)
    assert 20 * np.prod(grid.shape) <= heatmap_object.MOST_VALUES
    assert grid.spacing_mm == (3, 3, 3)
    assert all(grid.contains(point) for point in ((0.5, 0.5, 0.5), (299.5, 299.5, 299.5)))
    assert grid.size_mm[0] <= box.size_mm[0] + 6


def test_the_grid_holds_every_voxel_of_every_map(tmp_path):
    result = study_result(tmp_path / "source")
    grid = heatmap_object.common_grid(result.heatmaps, channels=2)
    for heatmap in result.heatmaps:
        for corner in np.ndindex(2, 2, 2):
            assert grid.contains(heatmap.grid.to_mm(np.array(corner) * (np.array(heatmap.grid.shape) - 1)))


@pytest.mark.parametrize("finding_id", [1, 2])
def test_a_map_on_the_common_grid_is_not_changed(tmp_path, finding_id):
    result = study_result(tmp_path / "source")
    grid = Grid.straight((5, 6, 7), spacing_mm=(1, 1, 1), origin_mm=(3, -4, 5))
    array = np.random.default_rng(0).random(grid.shape).astype(np.float32)
    heatmap = Heatmap(array=array, grid=grid, finding_id=finding_id, target="suspicion", method="gradcam")
    data, affine = load(replace(result, heatmaps=(heatmap,)), tmp_path)
    assert np.allclose(data[..., finding_id - 1].T, array)
    assert (affine[:3, 3] * (-1, -1, 1)).tolist() == [3, -4, 5]
