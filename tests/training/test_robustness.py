"""The same nodule, scanned otherwise, lies where it lay, with what the condition does to it and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.engine import load_model
from medimg.training import read_cubes
from medimg.training.robustness import CONDITIONS, altered, measure_robustness
from tests.training.folder_of_cubes import write_cubes


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    return read_cubes(write_cubes(tmp_path_factory.mktemp("cubes"), (5.0, 4.0), row_of=lambda number: {}))


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_nodule_lies_where_its_outline_does(cubes, name):
    """The centre of mass of what is dense, in millimetres, is the outline's."""
    hu = np.roll(cubes.hu[0], (3, -4, 5), axis=(0, 1, 2))
    inside = np.roll(cubes.mask[0] == 1, (3, -4, 5), axis=(0, 1, 2))
    volume, truth = altered(hu, inside, CONDITIONS[name], np.random.default_rng(0))
    weight = np.where(volume.array > -600, volume.array + 850.0, 0)  # a share of a slab weighs its share
    places = np.moveaxis(np.indices(weight.shape), 0, -1)
    center = volume.grid.to_mm((places * weight[..., None]).sum(axis=(0, 1, 2)) / weight.sum())
    assert center == pytest.approx(np.argwhere(truth).mean(axis=0)[::-1], abs=0.5)


def test_thicker_slices_are_means_of_theirs(cubes):
    volume, _ = altered(cubes.hu[0], cubes.mask[0] == 1, CONDITIONS["slices_2_5mm"], np.random.default_rng(0))
    assert volume.shape == (20, 50, 50)
    assert volume.grid.spacing_mm == pytest.approx((2.5, 1, 1))
    hu = cubes.hu[0].astype(float)
    assert np.abs(volume.array[0] - (hu[0] + hu[1] + hu[2] / 2) / 2.5).max() <= 0.51
    assert np.abs(volume.array[1] - (hu[2] / 2 + hu[3] + hu[4]) / 2.5).max() <= 0.51


@pytest.mark.parametrize(("name", "sd"), [("noise_20hu", 20), ("noise_50hu", 50)])
def test_noise_is_as_strong_as_it_says(cubes, name, sd):
    volume, _ = altered(cubes.hu[0], cubes.mask[0] == 1, CONDITIONS[name], np.random.default_rng(0))
    assert (volume.array - cubes.hu[0].astype(float)).std() == pytest.approx(sd, rel=0.03)


def test_a_softer_kernel_blurs_in_the_slice_and_a_sharper_one_does_the_opposite(cubes):
    hu, inside = cubes.hu[0], cubes.mask[0] == 1
    spread = {
        name: float(altered(hu, inside, CONDITIONS[name], np.random.default_rng(0))[0].array[:5, :8].std())
        for name in ("as_scanned", "kernel_soft", "kernel_sharp")
    }
    assert spread["kernel_soft"] < 0.6 * spread["as_scanned"] < 0.6 * spread["kernel_sharp"]


def test_every_condition_is_measured_or_refused_in_words(cubes):
    figures = measure_robustness(load_model(), cubes)
    assert "mm apart" in figures["robustness.slices_5mm.refused"]
    for name in CONDITIONS.keys() - {"slices_5mm"}:
        assert 0 <= figures[f"robustness.{name}.dice"][0] <= 1
    assert figures["robustness.as_scanned.dice_change"][0] == 0
