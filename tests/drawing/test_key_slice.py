"""A picture never misleads: sides, sizes and places are the patient's, whatever the order of the array."""

from __future__ import annotations

import io

import numpy as np
import pytest

from medimg.drawing import draw_crop, draw_slice
from medimg.drawing._plane import Plane, axes
from medimg.errors import GeometryError, OptionError
from medimg.values import Heatmap, Volume
from tests.builders.study import balls, grid_of, picture

AXIAL_WAYS = {
    "usual": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "head first to feet": ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
    "prone": ((0, 0, 1), (0, -1, 0), (-1, 0, 0)),
    "mirrored": ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
    "rows and columns swapped": ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    "tilted": ((0, 0.2, 0.98), (0, 1, 0), (1, 0, 0)),
}
CENTER = (30.0, -20.0, -150.0)


def pixels(png):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def scene(directions, *, spacing_mm=(2.0, 0.9, 0.6), shape=(9, 80, 120)):
    """Return a volume with one ball in the middle and a bright block 12 mm to its left (LPS +x) and 8 mm in front (LPS -y)."""
    grid = grid_of(shape=shape, spacing_mm=spacing_mm, directions=directions)
    mask = balls(grid, [(CENTER, 5.0)])
    marker = balls(grid, [((CENTER[0] + 12, CENTER[1] - 8, CENTER[2]), 2.0)])
    array = np.where(marker.array > 0, 3000, np.where(mask.array > 0, -100, -1300)).astype(np.int16)
    return Volume(array=array, grid=grid, unit="HU", modality="CT"), mask


def middle_slice(grid):
    return round(float(grid.to_index(CENTER)[0]))


@pytest.mark.parametrize("directions", AXIAL_WAYS.values(), ids=AXIAL_WAYS)
def test_the_patients_left_is_on_the_right_and_the_front_at_the_top(directions):
    volume, mask = scene(directions)
    crop = pixels(
        draw_crop(volume, mask, label=1, slice_index=middle_slice(volume.grid), outline=False, field_mm=40, size_px=400)
    )
    marker = np.argwhere((crop[50:350, 50:350] > 250).all(axis=-1)) + 50
    y, x = marker.mean(axis=0)
    assert x == pytest.approx(200 + 12 * 10, abs=8)
    assert y == pytest.approx(200 - 8 * 10, abs=8)


@pytest.mark.parametrize("directions", AXIAL_WAYS.values(), ids=AXIAL_WAYS)
def test_an_axial_slice_is_marked_right_left_front_back(directions):
    plane = Plane.whole(grid_of(directions=directions), 3, size_px=100)
    assert plane.edges == ("R", "L", "A", "P")


@pytest.mark.parametrize(
    ("directions", "edges"),
    [
        (((0, 1, 0), (0, 0, -1), (1, 0, 0)), ("R", "L", "H", "F")),  # coronal
        (((0, -1, 0), (1, 0, 0), (0, 0, 1)), ("R", "L", "H", "F")),
        (((1, 0, 0), (0, 0, -1), (0, 1, 0)), ("A", "P", "H", "F")),  # sagittal
        (((-1, 0, 0), (0, 1, 0), (0, 0, 1)), ("A", "P", "H", "F")),
        (((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (1.0, 0.0, 0.0)), ("R", "L", "AH", "PF")),  # oblique: both letters
    ],
)
def test_other_planes_hang_as_radiologists_hang_them(directions, edges):
    assert Plane.whole(grid_of(directions=directions), 3, size_px=100).edges == edges


def test_a_ball_is_round_and_true_to_scale_on_oblong_pixels():
    volume, mask = scene(AXIAL_WAYS["usual"], spacing_mm=(2.0, 1.2, 0.5))
    crop = pixels(
        draw_crop(volume, mask, label=1, slice_index=middle_slice(volume.grid), outline=False, field_mm=40, size_px=400)
    )
    ball = np.argwhere((np.abs(crop[..., 0] - 213) < 40)[110:290, 110:290])  # -100 HU in the lung window
    height, width = np.ptp(ball, axis=0) + 1
    assert height == pytest.approx(100, abs=15)
    assert width == pytest.approx(100, abs=8)


def test_the_outline_surrounds_the_lesion_and_hides_none_of_it():
    volume, mask = scene(AXIAL_WAYS["usual"])
    index = middle_slice(volume.grid)
    options = {"label": 1, "slice_index": index, "field_mm": 40, "size_px": 400}
    plain, outlined = (pixels(draw_crop(volume, mask, outline=on, **options)) for on in (False, True))
    line = (plain != outlined).any(axis=-1)
    assert line.any()
    y, x = np.argwhere(line).T
    distance = np.hypot(x - 199.5, y - 199.5) / 10
    assert distance.min() > 5 - 0.9
    assert distance.max() < 5 + 0.9
    assert np.unique(np.rad2deg(np.arctan2(y - 199.5, x - 199.5)) // 3).size == 120  # it is closed: in every 3 degrees


def test_the_evidence_is_drawn_where_it_lies():
    volume, mask = scene(AXIAL_WAYS["prone"])
    grid = grid_of(shape=(20, 20, 20), spacing_mm=(1, 1, 1), center=(CENTER[0] - 9, CENTER[1] + 6, CENTER[2]))
    peak = np.zeros(grid.shape, dtype=np.float32)
    peak[8:12, 8:12, 8:12] = 1
    heatmap = Heatmap(array=peak, grid=grid, finding_id=1, target="suspicion", method="gradcam")
    options = {"label": 1, "slice_index": middle_slice(volume.grid), "field_mm": 40, "size_px": 400, "outline": False}
    plain, warm = pixels(draw_crop(volume, mask, **options)), pixels(draw_crop(volume, mask, heatmap=heatmap, **options))
    changed = np.argwhere((plain != warm).any(axis=-1)[:340])  # below lies the scale
    y, x = changed.mean(axis=0)
    assert (x, y) == pytest.approx((200 - 90, 200 + 60), abs=8)


def test_the_box_in_the_whole_slice_is_around_the_lesion():
    volume, mask = scene(AXIAL_WAYS["head first to feet"])
    index = middle_slice(volume.grid)
    image = pixels(draw_slice(volume, mask, label=1, slice_index=index, size_px=360))
    yellow = np.argwhere((image[..., 0] > 240) & (image[..., 2] < 30))
    plane = Plane.whole(volume.grid, index, size_px=360)
    assert yellow.mean(axis=0)[::-1] == pytest.approx(plane.to_pixel(CENTER), abs=3)


def test_calipers_are_drawn_between_their_ends():
    volume, mask = scene(AXIAL_WAYS["usual"])
    options = {"label": 1, "slice_index": middle_slice(volume.grid), "field_mm": 40, "size_px": 400, "outline": False}
    ends = ((CENTER[0] - 5, CENTER[1], CENTER[2]), (CENTER[0] + 5, CENTER[1], CENTER[2]))
    plain, drawn = pixels(draw_crop(volume, mask, **options)), pixels(draw_crop(volume, mask, calipers_mm=[ends], **options))
    y, x = np.argwhere((plain != drawn).any(axis=-1)).T
    assert (x.min(), x.max()) == pytest.approx((150, 250), abs=4)
    assert y.mean() == pytest.approx(200, abs=1)


def test_a_picture_that_is_stored_inverted_is_shown_as_film():
    volume, mask = scene(AXIAL_WAYS["usual"])
    inverted = Volume(array=volume.array, grid=volume.grid, modality="CR", inverted=True)
    image = pixels(draw_slice(inverted, mask, label=1, slice_index=middle_slice(volume.grid), size_px=200))
    assert image[20:40, 20:40].mean() > 200  # the lowest stored value is the brightest


@pytest.mark.parametrize("directions", AXIAL_WAYS.values(), ids=AXIAL_WAYS)
def test_the_directions_of_a_picture_are_at_right_angles(directions):
    right, down = axes(grid_of(directions=directions, tilt_deg=12))
    assert (right @ down, right @ right, down @ down) == pytest.approx((0, 1, 1))


def test_the_same_picture_is_the_same_bytes():
    volume, mask = scene(AXIAL_WAYS["usual"])
    assert draw_crop(volume, mask, label=1, slice_index=4) == draw_crop(volume, mask, label=1, slice_index=4)


def test_what_is_not_there_cannot_be_drawn():
    mask = balls(grid_of(), [(CENTER, 4.0)])
    volume = picture(mask)
    with pytest.raises(OptionError, match="label cannot be 2"):
        draw_crop(volume, mask, label=2, slice_index=4)
    with pytest.raises(OptionError, match="slice_index cannot be 16"):
        draw_slice(volume, mask, label=1, slice_index=16)
    with pytest.raises(GeometryError, match="another grid"):
        draw_crop(volume, balls(grid_of(center=(0, 0, 0)), [((0, 0, 0), 4.0)]), label=1, slice_index=4)
