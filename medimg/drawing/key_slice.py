"""The slice that shows a finding: close up, and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.drawing import _paint
from medimg.drawing._plane import Plane
from medimg.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from medimg.values import Heatmap, Mask, Volume

    Point = tuple[float, float, float]

LEAST_FIELD_MM = 45.0  # enough of the surroundings to recognize a vessel or the wall
FIELD_FACTOR = 2.2  # a large lesion fills a little less than half of the picture
OUTLINE_PX = 2


def draw_crop(
    volume: Volume,
    mask: Mask,
    *,
    label: int,
    slice_index: int,
    calipers_mm: Sequence[tuple[Point, Point]] = (),
    heatmap: Heatmap | None = None,
    outline: bool = True,
    field_mm: float | None = None,
    size_px: int = 420,
    window: tuple[float, float] | None = None,
) -> bytes:
    """Draw a square of one slice around a label, as PNG.

    The picture hangs as radiologists expect (axial: the patient's right on the left, front at the top) whatever the order of the
    array, its pixels are square in the patient, and R, L, A, P, H, F mark the edges; the bar is true to scale in this picture.

    Args:
        volume: the scan.
        mask: outlines on the same grid.
        label: the one in the middle.
        slice_index: slice of the volume's grid.
        calipers_mm: pairs of LPS points to draw as measuring lines; they should lie in the slice.
        heatmap: evidence to lay over it, sampled in this very plane, with its scale of 0..1.
        outline: whether to draw the outline, yellow and outside of the lesion; other labels are outlined in grey.
        size_px: side of the picture.
        field_mm: side of the square in the patient; by default at least 45 mm and 2.2 times the lesion.
        window: centre and width; by default the lung window (-600, 1500) for HU, else the spread of the slice.

    Raises:
        OptionError: the label or the slice is not there.
        GeometryError: volume and mask lie on different grids.
    """
    return _paint.png(
        crop_picture(
            volume,
            mask,
            label=label,
            slice_index=slice_index,
            calipers_mm=calipers_mm,
            heatmap=heatmap,
            outline=outline,
            field_mm=field_mm,
            size_px=size_px,
            window=window,
        )
    )


def crop_picture(
    volume: Volume,
    mask: Mask,
    *,
    label: int,
    slice_index: int,
    calipers_mm: Sequence[tuple[Point, Point]] = (),
    heatmap: Heatmap | None = None,
    outline: bool = True,
    field_mm: float | None = None,
    size_px: int = 420,
    window: tuple[float, float] | None = None,
) -> Image:
    """Return what `draw_crop` draws."""
    box = _require_label(volume, mask, label, slice_index)
    if field_mm is None:
        extent = max((side.stop - side.start) * step for side, step in zip(box[1:], volume.grid.spacing_mm[1:], strict=True))
        field_mm = max(LEAST_FIELD_MM, FIELD_FACTOR * extent)
    found = mask.array[slice_index][box[1:]] == label
    middle = np.argwhere(found).mean(axis=0) if found.any() else np.array(found.shape) / 2
    center = volume.grid.to_mm((slice_index, middle[0] + box[1].start, middle[1] + box[2].start))
    plane = Plane.around(volume.grid, slice_index, center.tolist(), field_mm=field_mm, size_px=size_px)
    return _draw(
        volume, mask, plane, label, slice_index, window=window, heatmap=heatmap, outline=outline, calipers_mm=calipers_mm
    )


def draw_slice(
    volume: Volume, mask: Mask, *, label: int, slice_index: int, size_px: int = 420, window: tuple[float, float] | None = None
) -> bytes:
    """Draw a whole slice with a box around a label, as PNG; it hangs and is marked as `draw_crop` does.

    Raises:
        OptionError: the label or the slice is not there.
        GeometryError: volume and mask lie on different grids.
    """
    return _paint.png(slice_picture(volume, mask, label=label, slice_index=slice_index, size_px=size_px, window=window))


def slice_picture(
    volume: Volume, mask: Mask, *, label: int, slice_index: int, size_px: int = 420, window: tuple[float, float] | None = None
) -> Image:
    """Return what `draw_slice` draws."""
    from PIL import Image as Images
    from PIL import ImageDraw

    box = _require_label(volume, mask, label, slice_index)
    plane = Plane.whole(volume.grid, slice_index, size_px=size_px)
    image = Images.fromarray(_paint.grey(volume, plane, slice_index, window=window)).convert("RGB")
    ends = [(slice_index, row, column) for row in (box[1].start, box[1].stop - 1) for column in (box[2].start, box[2].stop - 1)]
    places = np.array([plane.to_pixel(point) for point in volume.grid.to_mm(ends)])
    low, high = places.min(axis=0), places.max(axis=0)
    grow = np.maximum(7.0, (28.0 - (high - low)) / 2)  # a box is never too small to be seen
    draw = ImageDraw.Draw(image)
    for ink, thick, wide in (((0, 0, 0), 4, 1.0), (_paint.OUTLINE, 2, 0.0)):
        draw.rectangle([*(low - grow - wide), *(high + grow + wide)], outline=ink, width=thick)
    _paint.letters(image, plane)
    return image


def _draw(
    volume: Volume,
    mask: Mask,
    plane: Plane,
    label: int,
    slice_index: int,
    *,
    window: tuple[float, float] | None,
    heatmap: Heatmap | None,
    outline: bool,
    calipers_mm: Sequence[tuple[Point, Point]],
) -> Image:
    from PIL import Image as Images
    from PIL import ImageDraw

    rgb = _paint.grey(volume, plane, slice_index, window=window)[..., None].repeat(3, axis=-1)
    if heatmap is not None:
        rgb = _paint.warm(rgb, heatmap, plane)
    if outline:
        section = mask.array[slice_index]
        area = _paint.inside(section == label, plane, mask.grid)
        others = _paint.inside((section != 0) & (section != label), plane, mask.grid)
        rgb[_paint.border(others, width_px=1) & ~area] = _paint.OTHER
        rgb[_paint.border(area, width_px=OUTLINE_PX)] = _paint.OUTLINE
    image = Images.fromarray(rgb)
    draw = ImageDraw.Draw(image)
    for ends in calipers_mm:
        _paint.cross(draw, [plane.to_pixel(point) for point in ends])
    _paint.letters(image, plane)
    if heatmap is not None:
        _paint.warmth_bar(image)
    return image


def _require_label(volume: Volume, mask: Mask, label: int, slice_index: int) -> tuple[slice, slice, slice]:
    """Return the box of a label, after making sure that it and the slice are there."""
    volume.grid.require_fit(mask.grid, "The mask")
    box = mask.box(label)
    if box is None:
        raise OptionError("label", label, "a label that the mask has")
    if not 0 <= slice_index < volume.shape[0]:
        raise OptionError("slice_index", slice_index, f"a slice of the volume, 0 to {volume.shape[0] - 1}")
    return box
