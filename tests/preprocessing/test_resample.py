"""Resampling must put every value at its millimetre, whatever way either grid lies; scipy is the judge."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from medimg.errors import GeometryError, OptionError
from medimg.preprocessing import orient, resample
from medimg.values import Code, Grid, Mask, Volume

ORDERS = {"nearest": 0, "linear": 1, "bspline": 3}
RANDOM = np.random.default_rng(1).integers(-900, 1200, (9, 11, 13)).astype(np.int16)


def grid_of(
    turn: np.ndarray, steps: tuple[float, ...], origin: tuple[float, ...], shape: tuple[int, ...], shear: float = 0.0
) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[1, 0, 0], [shear, 1, 0], [0, 0, 1]]) @ np.diag(steps)
    affine[:3, 3] = origin
    return Grid(shape, affine)


def turned(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    about_z = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return about_z @ np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]])  # columns: slices to z, rows to y, columns to x


SOURCES = {
    "straight": grid_of(turned(0), (2.5, 0.7, 0.8), (0, 0, 0), (9, 11, 13)),
    "oblique": grid_of(turned(20), (2.5, 0.7, 0.8), (0, 0, 0), (9, 11, 13)),
    "sheared": grid_of(turned(0), (2.5, 0.7, 0.8), (0, 0, 0), (9, 11, 13), shear=0.3),
}
TARGETS = {
    "finer": grid_of(turned(0), (1.0, 0.5, 0.5), (1, 1, 1), (15, 12, 14)),
    "turned": grid_of(turned(-35), (1.7, 0.6, 0.9), (2, 3, -4), (10, 12, 11)),
    "sheared": grid_of(turned(10), (1.7, 0.6, 0.9), (0, 1, -2), (10, 12, 11), shear=-0.25),
    "flipped": grid_of(turned(180), (1.7, 0.6, 0.9), (9.033, 7.0137, -2.3), (10, 12, 11)),  # no voxel half way between two
}


def by_scipy(array: np.ndarray, source: Grid, target: Grid, order: int, outside: float) -> np.ndarray:
    """Interpolate with scipy at each voxel centre of the target; beyond the source's outer edges stands `outside`."""
    index = source.to_index(target.to_mm(np.moveaxis(np.indices(target.shape), 0, -1)))
    values = ndimage.map_coordinates(
        array.astype(float), np.moveaxis(index, -1, 0), order=order, mode="mirror" if order == 3 else "nearest"
    )
    within = ((index >= -0.5) & (index < np.array(source.shape) - 0.5)).all(axis=-1)
    return np.where(within, values, outside)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("way", ORDERS)
def test_it_agrees_with_scipy_on_any_pair_of_grids(source: str, target: str, way: str) -> None:
    scan = Volume(array=RANDOM.astype(np.float32), grid=SOURCES[source], modality="CT", unit="HU")
    made = resample(scan, like=TARGETS[target], interpolation=way)
    wanted = by_scipy(RANDOM, SOURCES[source], TARGETS[target], ORDERS[way], -1024)
    assert made.grid.fits(TARGETS[target])
    np.testing.assert_allclose(made.array, np.clip(wanted, -1024, RANDOM.max()), atol=0.05)


def test_whole_numbers_are_rounded_to_the_nearest() -> None:
    scan = Volume(array=RANDOM, grid=SOURCES["oblique"], modality="CT", unit="HU")
    made = resample(scan, like=TARGETS["turned"])
    wanted = by_scipy(RANDOM, SOURCES["oblique"], TARGETS["turned"], 1, -1024)
    assert made.array.dtype == np.int16
    assert np.abs(made.array - wanted).max() <= 0.501  # cutting towards zero would be off by up to 1


@pytest.mark.parametrize("shape", [(7, 9, 11), (4, 4, 4), (1, 6, 6)])
@pytest.mark.parametrize("spacing", [1.0, 0.37, (3.0, 1.3, 0.9)])
def test_a_new_spacing_covers_the_same_box_and_every_centre_lies_in_the_scan(shape: tuple[int, ...], spacing: object) -> None:
    grid = grid_of(turned(15), (2.5, 0.7, 0.8), (5, -6, 7), shape, shear=0.2)
    made = resample(Volume(array=np.zeros(shape, np.int16), grid=grid), spacing_mm=spacing).grid  # type: ignore[arg-type]
    assert made.spacing_mm == pytest.approx(np.broadcast_to(spacing, 3))
    np.testing.assert_allclose(made.directions, grid.directions, atol=1e-12)
    corners = np.array(np.meshgrid(*[(0, 1)] * 3)).reshape(3, -1).T
    outer = made.to_index(grid.to_mm(corners * np.array(shape) - 0.5))
    assert outer.min() > -0.5 - 2e-3
    assert (outer < np.array(made.shape) - 0.5 + 2e-3).all()
    for centre in corners * (np.array(made.shape) - 1):
        assert grid.contains(made.to_mm(centre))


def test_a_box_of_whole_voxels_is_met_exactly() -> None:
    grid = Grid.straight((4, 6, 8), spacing_mm=(3.0, 1.0, 1.0), origin_mm=(10, 20, 30))
    made = resample(Volume(array=np.zeros(grid.shape, np.int16), grid=grid), spacing_mm=(1.0, 2.0, 2.0)).grid
    assert made.shape == (12, 3, 4)
    assert made.size_mm == pytest.approx(grid.size_mm)
    assert made.origin_mm == pytest.approx((10.5, 20.5, 29.0))


def test_a_constant_stays_constant_up_to_the_edge() -> None:
    grid = grid_of(turned(0), (2.5, 0.7, 0.8), (0, 0, 0), (5, 7, 9))
    made = resample(Volume(array=np.full(grid.shape, 37, np.int16), grid=grid, unit="HU"), spacing_mm=1.0)
    assert (made.array == 37).all()


@pytest.mark.parametrize("like", TARGETS)
def test_the_mass_of_a_ball_is_kept(like: str) -> None:
    fine = grid_of(turned(0), (1.2, 0.6, 0.6), (-12, -12, -12), (21, 41, 41))
    centre, radius = np.array((0.3, -0.4, 0.2)), 7.0
    away = np.linalg.norm(fine.to_mm(np.moveaxis(np.indices(fine.shape), 0, -1)) - centre, axis=-1)
    ball = Volume(array=np.clip(radius - away + 0.5, 0, 1).astype(np.float32), grid=fine)
    target = TARGETS[like]
    affine = target.affine.copy()
    affine[:3, 3] = -affine[:3, :3] @ np.full(3, 29.5)  # the same axes round the ball
    wide = Grid((60, 60, 60), affine)
    made = resample(ball, like=wide)
    volume = 4 / 3 * np.pi * radius**3
    assert made.array.sum() * wide.voxel_volume_mm3 == pytest.approx(volume, rel=0.02)
    indices = np.moveaxis(np.indices(wide.shape), 0, -1)
    middle = np.average(wide.to_mm(indices).reshape(-1, 3), axis=0, weights=made.array.ravel())
    np.testing.assert_allclose(middle, centre, atol=0.05)


@pytest.mark.parametrize("codes", ["IAR", "RSP", "PIL"])
def test_a_turned_copy_gives_the_same_world_result(codes: str) -> None:
    scan = Volume(array=RANDOM, grid=SOURCES["straight"], modality="CT", unit="HU")
    straight = resample(scan, spacing_mm=0.9)
    turned_copy = orient(resample(orient(scan, axis_codes=codes), spacing_mm=0.9), axis_codes=scan.grid.axis_codes)
    assert turned_copy.grid.fits(straight.grid)
    assert np.abs(turned_copy.array.astype(int) - straight.array).max() <= 1  # halves may round either way
    assert np.mean(turned_copy.array != straight.array) < 0.01


@pytest.mark.parametrize(("unit", "outside"), [("HU", -1024), ("", 0)])
def test_outside_of_the_scan_stands_its_background(unit: str, outside: int) -> None:
    scan = Volume(array=np.full((4, 4, 4), 100, np.int16), grid=Grid.straight((4, 4, 4), spacing_mm=(1, 1, 1)), unit=unit)
    made = resample(scan, like=Grid.straight((1, 1, 6), spacing_mm=(1, 1, 1), origin_mm=(-2, 0, 0)))
    assert made.array.ravel().tolist() == [outside, outside, 100, 100, 100, 100]


def test_a_mask_keeps_its_labels_and_their_meaning() -> None:
    grid = Grid.straight((2, 2, 2), spacing_mm=(2, 2, 2))
    array = np.array([[[0, 7], [0, 7]], [[300, 7], [300, 7]]])
    mask = Mask(array=array, grid=grid, labels={7: Code("SCT", "39607008", "Lung")})
    made = resample(mask, spacing_mm=1.0)
    np.testing.assert_array_equal(made.array, np.kron(array, np.ones((2, 2, 2), int)))
    assert made.array.dtype == np.uint16
    assert made.labels == mask.labels


@pytest.mark.parametrize("way", ["nearest", "linear"])
def test_a_small_target_in_a_large_scan_has_the_values_of_the_whole(way: str) -> None:
    array = np.random.default_rng(3).integers(-900, 900, (30, 40, 50)).astype(np.int16)
    grid = grid_of(turned(10), (2.0, 0.7, 0.8), (0, 0, 0), array.shape)
    scan = Volume(array=array, grid=grid, unit="HU")
    whole = grid_of(turned(-20), (1.0, 0.9, 0.9), (0, 0, 10), (40, 30, 40))
    part = whole.crop((12, 7, 9), (5, 6, 7))
    made = resample(scan, like=part, interpolation=way)
    np.testing.assert_array_equal(made.array, resample(scan, like=whole, interpolation=way).array[12:17, 7:13, 9:16])
    assert (made.array != -1024).any()


def test_unit_modality_and_history_stay() -> None:
    scan = Volume(array=RANDOM, grid=SOURCES["straight"], modality="CT", unit="HU", history=("read",))
    made = resample(scan, spacing_mm=2.0)
    assert (made.unit, made.modality) == ("HU", "CT")
    assert made.history == ("read", "resample(spacing_mm=2.0, interpolation=linear)")


def test_the_frame_of_reference_goes_along_and_two_different_ones_are_refused() -> None:
    scan = Volume(array=RANDOM, grid=Grid(RANDOM.shape, np.eye(4), frame_of_reference="1.2.3"))
    assert resample(scan, spacing_mm=2.0).grid.frame_of_reference == "1.2.3"
    assert resample(scan, like=Grid((3, 3, 3), np.eye(4))).grid.frame_of_reference == "1.2.3"
    with pytest.raises(GeometryError, match="different frames of reference"):
        resample(scan, like=Grid((3, 3, 3), np.eye(4), frame_of_reference="4.5.6"))


def test_a_grid_elsewhere_is_refused_instead_of_filled_with_air() -> None:
    far = Grid.straight((3, 3, 3), spacing_mm=(1, 1, 1), origin_mm=(500, 0, 0))
    with pytest.raises(GeometryError, match="nothing in common"):
        resample(Volume(array=RANDOM, grid=SOURCES["straight"]), like=far)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"spacing_mm": 1.0, "like": TARGETS["finer"]},
        {"spacing_mm": 0},
        {"spacing_mm": (1, -1, 1)},
        {"spacing_mm": (1, 1)},
        {"spacing_mm": float("nan")},
        {"like": "grid"},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        resample(Volume(array=RANDOM, grid=SOURCES["straight"]), **options)  # type: ignore[arg-type]


def test_an_unknown_interpolation_answers_with_the_nearest_known() -> None:
    with pytest.raises(OptionError, match="Give linear"):
        resample(Volume(array=RANDOM, grid=SOURCES["straight"]), spacing_mm=1, interpolation="liner")


def test_labels_are_not_interpolated() -> None:
    with pytest.raises(OptionError, match="between two labels there is no third"):
        resample(Mask(array=RANDOM > 0, grid=SOURCES["straight"]), spacing_mm=1, interpolation="linear")
