"""Noise away, edges left."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import GeometryError, OptionError
from medimg.preprocessing import denoise, gaussian, orient
from medimg.values import Grid, Volume

GRID = Grid.straight((12, 40, 40), spacing_mm=(1.5, 0.8, 0.8))
EDGE = np.where(np.arange(40) < 20, -850.0, 50.0)
NOISY = np.broadcast_to(EDGE, GRID.shape) + np.random.default_rng(2).normal(0, 25, GRID.shape)
SCAN = Volume(array=np.rint(NOISY).astype(np.int16), grid=GRID, modality="CT", unit="HU")


def test_noise_is_halved_and_the_step_between_lung_and_tissue_stays() -> None:
    quiet = denoise(SCAN).array
    assert quiet[:, :, :18].std() < SCAN.array[:, :, :18].std() / 2
    assert quiet[:, :, 20].mean() - quiet[:, :, 19].mean() == pytest.approx(900, abs=20)
    blurred = gaussian(SCAN, sigma_mm=1.0).array
    assert blurred[:, :, 20].mean() - blurred[:, :, 19].mean() < 500  # what the same width does without a mind for edges


def test_flat_regions_are_smoothed_as_by_a_gaussian_of_that_width() -> None:
    faint = Volume(array=(NOISY - EDGE).astype(np.float32) / 1000, grid=GRID)
    inside = (slice(3, -3), slice(5, -5), slice(5, -5))
    np.testing.assert_allclose(
        denoise(faint, sigma_mm=1.6).array[inside].std(), gaussian(faint, sigma_mm=1.6).array[inside].std(), rtol=0.15
    )


def test_the_mean_stays_and_nothing_is_made_up() -> None:
    quiet = denoise(SCAN, sigma_mm=2).array
    assert quiet.mean(dtype=float) == pytest.approx(SCAN.array.mean(dtype=float), abs=1e-2)
    assert quiet.min() >= SCAN.array.min()
    assert quiet.max() <= SCAN.array.max()


def test_a_turned_copy_gives_the_same_result() -> None:
    back = orient(denoise(orient(SCAN, axis_codes="LIA")), axis_codes=GRID.axis_codes)
    np.testing.assert_allclose(back.array, denoise(SCAN).array, atol=0.05)


def test_what_went_in_is_unchanged_and_the_step_is_in_the_history() -> None:
    before = SCAN.array.copy()
    assert denoise(SCAN, sigma_mm=1, edge_per_mm=100).history == ("denoise(sigma_mm=1, edge_per_mm=100)",)
    np.testing.assert_array_equal(SCAN.array, before)


@pytest.mark.parametrize("options", [{"sigma_mm": 0}, {"sigma_mm": float("inf")}, {"edge_per_mm": -1}, {"sigma_mm": 1000}])
def test_options_that_cannot_be_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        denoise(SCAN, **options)


def test_a_sheared_grid_is_refused() -> None:
    affine = np.eye(4)
    affine[1, 0] = 0.3
    with pytest.raises(GeometryError, match="denoise needs straight axes"):
        denoise(Volume(array=np.zeros((2, 2, 2), np.int16), grid=Grid((2, 2, 2), affine)))
