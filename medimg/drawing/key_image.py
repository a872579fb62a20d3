"""One picture of a finding that says by itself what it is: close up, where it lies, and that a program drew it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.drawing import _paint
from medimg.drawing.key_slice import crop_picture, slice_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medimg.values import Heatmap, Mask, Volume

    Point = tuple[float, float, float]

WARNING = (255, 200, 0)
LINE_FACTOR = 1.5  # height of a line of text, in heights of its letters


def draw_key_image(
    volume: Volume,
    mask: Mask,
    *,
    label: int,
    slice_index: int,
    notice: str,
    title: Sequence[str] = (),
    calipers_mm: Sequence[tuple[Point, Point]] = (),
    heatmap: Heatmap | None = None,
    size_px: int = 512,
    window: tuple[float, float] | None = None,
) -> NDArray[np.uint8]:
    """Draw two squares beside each other, with lines of text above them and a notice below, as RGB (row, column, 3).

    On the left the finding close up, with its outline and `calipers_mm`; on the right the same with the evidence, or, without a
    `heatmap`, the whole slice with a box around the finding. Both hang and are marked as `draw_crop` does.

    Args:
        volume: the scan.
        mask: outlines on the same grid.
        label: the finding to show.
        slice_index: slice of the volume's grid.
        notice: what stands below in a colour of its own; it is broken at spaces where it is too long for one line.
        title: lines of text above; letters that the font does not have become boxes.
        calipers_mm: pairs of LPS points to draw as measuring lines; they should lie in the slice.
        heatmap: evidence to lay over the right picture.
        size_px: side of each square.
        window: centre and width; by default the lung window (-600, 1500) for HU, else the spread of the slice.

    Raises:
        OptionError: the label or the slice is not there.
        GeometryError: volume and mask lie on different grids.
    """
    from PIL import Image, ImageDraw

    where: dict[str, Any] = {"label": label, "slice_index": slice_index, "size_px": size_px}
    left = crop_picture(volume, mask, calipers_mm=calipers_mm, window=window, **where)
    right = (
        crop_picture(volume, mask, heatmap=heatmap, window=window, **where)
        if heatmap is not None
        else slice_picture(volume, mask, window=window, **where)
    )
    letters = max(13, size_px // 28)
    line = round(letters * LINE_FACTOR)
    below = _broken(notice, 2 * size_px - 2 * letters, letters)
    top, bottom = line * len(title) + letters, line * len(below) + letters
    image = Image.new("RGB", (2 * size_px, top + size_px + bottom))
    for column, square in enumerate((left, right)):
        image.paste(square, (column * size_px + (size_px - square.width) // 2, top + (size_px - square.height) // 2))
    draw = ImageDraw.Draw(image)
    for number, words in enumerate(title):
        _paint.write(draw, (letters, letters // 2 + number * line), words, size=letters, anchor="la")
    for number, words in enumerate(below):
        place = (letters, top + size_px + letters // 2 + number * line)
        _paint.write(draw, place, words, size=letters, anchor="la", ink=WARNING)
    picture: NDArray[np.uint8] = np.asarray(image, dtype=np.uint8)
    return picture


def _broken(text: str, width_px: float, letters: int) -> list[str]:
    """Return text in lines that are at most so wide."""
    lines: list[str] = []
    for word in text.split():
        if lines and _paint.width(f"{lines[-1]} {word}", letters) <= width_px:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
