"""The lungs of a chest whose truth is known, in every way that a scan may show it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medimg.errors import UnsuitableScanError
from medimg.preprocessing import crop, has_lungs, lungs, orient
from medimg.values import Grid, Mask, Volume
from tests.builders.thorax import BOWEL_MM, TRACHEA_MM, WALL_NODULE_MM, Thorax, thorax

LEFT, RIGHT = 1, 2


@pytest.fixture(scope="module")
def chest() -> Thorax:
    return thorax()


def dice(mask: Mask, truth: np.ndarray, label: int) -> float:
    found, wanted = mask.of(label), truth == label
    return float(2 * (found & wanted).sum() / (found.sum() + wanted.sum()))


def at(mask: Mask, point_mm: tuple[float, float, float]) -> int:
    return int(mask.array[tuple(np.rint(mask.grid.to_index(point_mm)).astype(int))])


@pytest.mark.parametrize("spacing", [(3.0, 3.0, 3.0), (1.25, 2.0, 2.0), (5.0, 1.5, 1.5)])
def test_left_and_right_are_found_at_any_spacing(spacing: tuple[float, float, float]) -> None:
    made = thorax(spacing_mm=spacing)
    mask = lungs(made.volume)
    assert mask.grid.fits(made.volume.grid)
    assert dice(mask, made.truth, LEFT) > 0.98
    assert dice(mask, made.truth, RIGHT) > 0.98
    assert (mask.labels[LEFT].value, mask.labels[RIGHT].value) == ("44029006", "3341006")  # SNOMED CT left, right lung


def test_a_nodule_at_the_wall_is_in_and_trachea_and_bowel_gas_are_out(chest: Thorax) -> None:
    mask = lungs(chest.volume)
    assert at(mask, WALL_NODULE_MM) == RIGHT
    assert at(mask, TRACHEA_MM) == 0
    assert at(mask, BOWEL_MM) == 0


@pytest.mark.parametrize("codes", ["IAR", "LSP", "AIR"])
def test_a_turned_copy_gives_the_same_lungs(chest: Thorax, codes: str) -> None:
    turned = lungs(orient(chest.volume, axis_codes=codes))
    assert turned.grid.axis_codes == codes
    np.testing.assert_array_equal(orient(turned).array, lungs(chest.volume).array)


def test_a_mirrored_patient_has_the_sides_exchanged(chest: Thorax) -> None:
    mirrored = replace(chest.volume, array=chest.volume.array[:, :, ::-1])
    mask = lungs(mirrored)
    assert at(mask, (-WALL_NODULE_MM[0], *WALL_NODULE_MM[1:])) == LEFT


def test_a_patient_who_lies_oblique_keeps_the_lungs(chest: Thorax) -> None:
    angle = np.deg2rad(12)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    oblique = replace(chest.volume, grid=Grid(chest.volume.shape, turn @ chest.volume.grid.affine))
    np.testing.assert_array_equal(lungs(oblique).array, lungs(chest.volume).array)


def test_a_tilted_gantry_is_no_obstacle(chest: Thorax) -> None:
    affine = chest.volume.grid.affine.copy()
    affine[1, 0] = 0.8  # 15 degrees
    tilted = replace(chest.volume, grid=Grid(chest.volume.shape, affine))
    mask = lungs(tilted)
    assert dice(mask, chest.truth, LEFT) > 0.98


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_single_lung_gets_its_own_side(side: str) -> None:
    made = thorax(**{"left": side == "left", "right": side == "right"})
    mask = lungs(made.volume)
    label, other = (LEFT, RIGHT) if side == "left" else (RIGHT, LEFT)
    assert dice(mask, made.truth, label) > 0.98
    assert not mask.of(other).any()


def test_a_crop_that_cuts_off_one_lung_skin_and_table_keeps_the_side(chest: Thorax) -> None:
    start, shape = (40, 10, 12), (60, 80, 52)  # the right lung, the trachea, no wall in front
    box, truth = crop(chest.volume, start=start, shape=shape), chest.truth[40:100, 10:90, 12:64]
    mask = lungs(box)
    assert dice(mask, truth, RIGHT) > 0.97
    assert mask.of(LEFT).sum() < 0.01 * mask.of(RIGHT).sum()


@pytest.mark.parametrize("padding", [-1024, -3024])
def test_a_round_field_of_view_that_cuts_through_the_lung_is_no_outside_air(chest: Thorax, padding: int) -> None:
    y, x = (np.arange(size) * 3.0 - half for size, half in zip(chest.volume.shape[1:], (150, 200), strict=True))
    seen = (x[None, :] + 85) ** 2 + y[:, None] ** 2 < 75**2  # 15 cm round the right lung, whose back and front lie outside
    mask = lungs(replace(chest.volume, array=np.where(seen, chest.volume.array, np.int16(padding))))
    assert dice(mask, np.where(seen, chest.truth, 0), RIGHT) > 0.96
    assert not mask.of(LEFT).any()


def test_a_slab_of_five_slices_is_enough(chest: Thorax) -> None:
    mask = lungs(crop(chest.volume, start=(70, 0, 0), shape=(5, *chest.volume.shape[1:])))
    assert dice(mask, chest.truth[70:75], LEFT) > 0.97
    assert dice(mask, chest.truth[70:75], RIGHT) > 0.97


def test_lungs_that_touch_in_front_are_parted(chest: Thorax) -> None:
    array, truth = chest.volume.array.copy(), chest.truth.copy()
    bridge = np.s_[60:90, 30:34, 60:74]  # 12 mm of air from lung to lung
    array[bridge] = np.where(array[bridge] > -500, -850, array[bridge])
    mask = lungs(replace(chest.volume, array=array))
    assert dice(mask, truth, LEFT) > 0.97
    assert dice(mask, truth, RIGHT) > 0.97


def test_an_abdomen_with_bowel_gas_has_no_lungs(chest: Thorax) -> None:
    abdomen = crop(chest.volume, start=(0, 0, 0), shape=(33, *chest.volume.shape[1:]))  # up to z = -100: below the lungs
    assert lungs(abdomen).is_empty


@pytest.mark.parametrize("value", [-1000, 40])
def test_a_scan_of_nothing_has_no_lungs(value: int) -> None:
    grid = Grid.straight((6, 40, 40), spacing_mm=(3, 3, 3))
    assert lungs(Volume(array=np.full(grid.shape, value, np.int16), grid=grid, modality="CT", unit="HU")).is_empty


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 30, 30), (30, 1, 2)])
def test_a_scan_too_small_for_lungs_has_none(shape: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(0).integers(-1000, 1000, shape).astype(np.int16)
    assert lungs(Volume(array=noise, grid=Grid.straight(shape, spacing_mm=(3, 3, 3)), modality="CT", unit="HU")).is_empty


def test_has_lungs_says_how_much_and_takes_a_mask_too(chest: Thorax) -> None:
    mask = lungs(chest.volume)
    shown, sentence = has_lungs(mask)
    left, right = (mask.of(label).sum() * 27 / 1e6 for label in (LEFT, RIGHT))  # voxels of 3 mm
    assert shown
    assert sentence == f"The scan shows {left:.2f} l of left and {right:.2f} l of right lung."
    assert has_lungs(chest.volume)[0]
    assert not has_lungs(crop(mask, start=(0, 0, 0), shape=(33, *mask.shape[1:])))[0]


def test_what_is_not_in_hu_is_refused_and_not_guessed() -> None:
    volume = Volume(array=np.zeros((4, 4, 4), np.int16), grid=Grid.straight((4, 4, 4), spacing_mm=(3, 3, 3)), modality="MR")
    with pytest.raises(UnsuitableScanError, match="lungs works on Hounsfield units"):
        lungs(volume)
    shown, sentence = has_lungs(volume)
    assert not shown
    assert "cannot be told" in sentence
