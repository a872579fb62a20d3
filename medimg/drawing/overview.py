"""All findings on one picture that looks like a chest film."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.drawing import _paint
from medimg.drawing._plane import side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medimg.values import Volume

RANGE_HU = (-1000.0, 300.0)  # bone would hide the lung behind it
FINEST_MM = 1.0  # voxels are thinned to about this before they are summed
SPREAD = (2.0, 99.5)
MANY = 12  # rings from here on are small, so that they stay apart
LEAST_SHARE = 3  # the shorter side of the picture is at least this part of the longer one


def draw_overview(volume: Volume, points_mm: Sequence[tuple[str, tuple[float, float, float]]], *, size_px: int = 420) -> bytes:
    """Draw the volume summed from front to back, seen from the front, with a named ring at each LPS point, as PNG.

    The longer side of the picture has `size_px`.
    The patient's right is on the left, the head at the top. The sum runs along the axis of the array that is nearest to front and
    back, so on a tilted or oblique scan it is a slightly slanted view; rings are placed in that same view.
    """
    from PIL import Image, ImageDraw

    grid = volume.grid
    cosines = np.abs(grid.directions)
    depth = int(cosines[1].argmax())
    upright, across = sorted(
        (axis for axis in range(3) if axis != depth), key=lambda axis: -(cosines[2, axis] - cosines[0, axis])
    )
    steps = [max(1, int(FINEST_MM / spacing)) for spacing in grid.spacing_mm]
    film = _film(volume, depth, steps)  # the axes left over, in their order
    if upright > across:
        film = film.T
    flip_up, flip_across = grid.directions[2, upright] > 0, grid.directions[0, across] < 0
    film = film[:: -1 if flip_up else 1, :: -1 if flip_across else 1]
    tall, wide = grid.size_mm[upright], grid.size_mm[across]
    width_px, height_px = (max(1, round(size_px * side_mm / max(tall, wide))) for side_mm in (wide, tall))
    thin = Image.fromarray(film).resize((width_px, height_px), Image.Resampling.BICUBIC).convert("RGB")
    canvas = max(width_px, size_px // LEAST_SHARE), max(height_px, size_px // LEAST_SHARE)
    image = Image.new("RGB", canvas)  # a slab of a few slices gets black above and below, so that the letters do not hide it
    left, top = ((whole - part) // 2 for whole, part in zip(canvas, thin.size, strict=True))
    image.paste(thin, (left, top))
    draw = ImageDraw.Draw(image)
    size, ring = max(13, size_px // 26), 9 if len(points_mm) <= MANY else 6
    for name, point in points_mm:
        index = grid.to_index(point)
        y, x = ((index[axis] + 0.5) / grid.shape[axis] for axis in (upright, across))
        x, y = left + (1 - x if flip_across else x) * width_px, top + (1 - y if flip_up else y) * height_px
        for ink, thick in (((0, 0, 0), 4), (_paint.OUTLINE, 2)):
            draw.ellipse([x - ring, y - ring, x + ring, y + ring], outline=ink, width=thick)
        _paint.write(draw, (x + ring + 3, y), name, size=size * ring // 9, anchor="lm", ink=_paint.OUTLINE)
    right = grid.directions[:, across] * (-1 if flip_across else 1)
    down = grid.directions[:, upright] * (-1 if flip_up else 1)
    _paint.sides(image, (side(-right), side(right), side(-down), side(down)), size=size)
    return _paint.png(image)


def _film(volume: Volume, depth: int, steps: Sequence[int]) -> NDArray[np.uint8]:
    thin: NDArray[Any] = volume.array[tuple(slice(None, None, step) for step in steps)]
    low, high = RANGE_HU if volume.unit == "HU" else (float(thin.min()), float(thin.max()))
    total = np.zeros([size for axis, size in enumerate(thin.shape) if axis != depth], dtype=np.float32)
    for plane in np.moveaxis(thin, depth, 0):
        total += np.clip(plane, low, high)
    low, high = np.percentile(total, SPREAD)
    shade = np.clip((total - low) / max(high - low, 1e-6), 0, 1)
    film: NDArray[np.uint8] = ((1 - shade if volume.inverted else shade) * 255).round().astype(np.uint8)
    return film
