"""Grey values, outlines, warm colours and letters on a picture."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    from medimg.drawing._plane import Plane
    from medimg.values import Heatmap, Volume

LUNG_WINDOW_HU = (-600.0, 1500.0)  # centre and width that chest radiologists read lungs in
OUTLINE, OTHER, LINE, INK = (255, 200, 0), (150, 150, 150), (110, 215, 255), (245, 245, 245)
SPREAD = (1.0, 99.0)  # percentiles shown of an image without a unit
# Evidence from none to the strongest: red, green, blue, cover. It grows lighter all the way, so that it reads in grey too.
WARMTH = np.array([(60, 0, 90, 0.0), (120, 10, 110, 0.35), (210, 40, 60, 0.55), (250, 140, 20, 0.65), (255, 240, 140, 0.75)])
FAINT = 0.05  # evidence below this share of the strongest is left uncoloured
SUPPORT = 4  # voxels beyond the picture's edge that a cubic interpolation can see
BARS_MM = (200, 100, 50, 20, 10, 5, 2, 1)


def grey(volume: Volume, plane: Plane, slice_index: int, *, window: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Return the slice in the picture's pixels, 0..255: cubic within the slice, nothing mixed in from its neighbours."""
    whole = volume.array[slice_index]
    values, outside = _sample(whole, plane, volume.grid)
    if window is None:
        window = LUNG_WINDOW_HU if volume.unit == "HU" else _own_window(whole)
    center, width = window
    shade = np.clip((values - (center - width / 2)) / width, 0, 1)
    if volume.inverted:
        shade = 1 - shade
    shade[outside] = 0
    picture: NDArray[np.uint8] = (shade * 255).round().astype(np.uint8)
    return picture


def inside(found: NDArray[np.bool_], plane: Plane, grid: Any) -> NDArray[np.bool_]:
    """Return which pixels of the picture lie in a section; its border is half way between a pixel inside and one outside."""
    if not found.any():
        return np.zeros((plane.rows, plane.columns), dtype=bool)
    from scipy.ndimage import map_coordinates

    _, rows, columns = plane.indices(grid)
    area = ~_beyond(found, rows, columns)
    for places, there in ((rows, found.any(axis=1)), (columns, found.any(axis=0))):
        first, last = np.flatnonzero(there)[[0, -1]]
        area &= (places > first - 1) & (places < last + 1)  # further off no neighbour of a pixel is inside
    part, shifted = _part(found, rows, columns)
    places = [axis[area] for axis in shifted]
    area[area] = map_coordinates(part, places, order=1, mode="constant", cval=0.0) >= 0.5
    return area


def border(area: NDArray[np.bool_], *, width_px: int) -> NDArray[np.bool_]:
    """Return a line around an area, outside of it, so that it hides none of it."""
    grown = area
    for step in range(width_px):
        wider = grown.copy()
        wider[1:] |= grown[:-1]
        wider[:-1] |= grown[1:]
        wider[:, 1:] |= grown[:, :-1]
        wider[:, :-1] |= grown[:, 1:]
        if step % 2:  # every second time the corners too: a disc, not a diamond
            wider[1:, 1:] |= grown[:-1, :-1]
            wider[:-1, :-1] |= grown[1:, 1:]
            wider[1:, :-1] |= grown[:-1, 1:]
            wider[:-1, 1:] |= grown[1:, :-1]
        grown = wider
    return grown & ~area


def warm(rgb: NDArray[np.uint8], heatmap: Heatmap, plane: Plane) -> NDArray[np.uint8]:
    """Lay the evidence in this plane over a picture; it is interpolated linearly at each pixel's own place in the patient."""
    from scipy.ndimage import map_coordinates

    heat = map_coordinates(heatmap.array, plane.indices(heatmap.grid), order=1, mode="constant", cval=0.0)
    colour = _warmth(heat)
    cover = np.where(heat >= FAINT, colour[..., 3], 0.0)[..., None]
    picture: NDArray[np.uint8] = (rgb * (1 - cover) + colour[..., :3] * cover).round().astype(np.uint8)
    return picture


def letters(image: Image, plane: Plane) -> None:
    """Mark the patient's sides at the edges, and a bar of a round length in millimetres."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    size = max(13, min(image.size) // 24)
    width, height = image.size
    sides(image, plane.edges, size=size)
    length = next((bar for bar in BARS_MM if bar <= 0.25 * width * plane.pixel_mm), BARS_MM[-1])
    end, base = 8 + length / plane.pixel_mm, height - 8
    for ink, thick in (((0, 0, 0), 5), (INK, 2)):
        draw.line([(8, base), (end, base)], fill=ink, width=thick)
        for tick in (8, end):
            draw.line([(tick, base - 4), (tick, base + 2)], fill=ink, width=thick - 1)
    write(draw, (8, base - 7), f"{length} mm", size=size, anchor="ld")


def sides(image: Image, names: tuple[str, str, str, str], *, size: int) -> None:
    """Write the patient's sides at the left, right, top and bottom edge."""
    from PIL import ImageDraw

    draw, (width, height) = ImageDraw.Draw(image), image.size
    places = ((6, height // 2), (width - 6, height // 2), (width // 2, 4), (width // 2, height - 4))
    for text, place, anchor in zip(names, places, ("lm", "rm", "ma", "md"), strict=True):
        write(draw, place, text, size=size, anchor=anchor)


def write(draw: Any, place: tuple[float, float], text: str, *, size: int, anchor: str, ink: tuple[int, int, int] = INK) -> None:
    """Write white letters with a dark edge, readable on lung and on bone."""
    draw.text(place, text, fill=ink, font=_font(size), anchor=anchor, stroke_width=2, stroke_fill=(0, 0, 0))


def width(text: str, size: int) -> float:
    """Return how many pixels a line of text is wide."""
    length: float = _font(size).getlength(text)
    return length


def warmth_bar(image: Image) -> None:
    """Draw what the colours mean, in the lower right corner."""
    from PIL import Image as Images
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    size, (width, height) = max(13, min(image.size) // 24), image.size
    long, thick = width // 4, max(6, size // 2)
    bar = _warmth(np.linspace(0, 1, long))[None, :, :3].round().astype(np.uint8).repeat(thick, 0)
    place = (width - long - 8, height - thick - 8)
    image.paste(Images.fromarray(bar), place)
    draw.rectangle([place[0] - 1, place[1] - 1, width - 8, height - 8], outline=INK)
    write(draw, (place[0], place[1] - 4), "0", size=size, anchor="ld")
    write(draw, (width - 8, place[1] - 4), "1", size=size, anchor="rd")


def cross(draw: Any, ends: Sequence[tuple[float, float]]) -> None:
    """Draw a caliper: a thin line with feet across it."""
    (x0, y0), (x1, y1) = ends
    length = float(np.hypot(x1 - x0, y1 - y0)) or 1.0
    foot_x, foot_y = -(y1 - y0) / length * 5, (x1 - x0) / length * 5
    for ink, thick in (((0, 0, 0), 3), (LINE, 1)):
        draw.line([(x0, y0), (x1, y1)], fill=ink, width=thick)
        for x, y in ends:
            draw.line([(x - foot_x, y - foot_y), (x + foot_x, y + foot_y)], fill=ink, width=thick)


def png(image: Image) -> bytes:
    """Return PNG bytes without a time or any text, so that the same picture gives the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _sample(section: NDArray[Any], plane: Plane, grid: Any) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return a section at the picture's pixels, cubic, and which pixels lie outside of the section."""
    from scipy.ndimage import map_coordinates

    _, rows, columns = plane.indices(grid)
    part, places = _part(section, rows, columns)
    values = map_coordinates(part, np.stack(places), order=3, mode="nearest")
    return values, _beyond(section, rows, columns)


def _part(
    section: NDArray[Any], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> tuple[NDArray[np.float32], list[NDArray[np.float64]]]:
    """Return the part of a section that an interpolation at these places can see, and the places in it."""
    box, shifted = [], []
    for places, size in ((rows, section.shape[0]), (columns, section.shape[1])):
        start = int(np.clip(np.floor(places.min()) - SUPPORT, 0, size - 1))
        stop = int(np.clip(np.ceil(places.max()) + SUPPORT, start + 1, size))
        box.append(slice(start, stop))
        shifted.append(places - start)
    return section[tuple(box)].astype(np.float32), shifted


def _beyond(section: NDArray[Any], rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which places lie outside of a section, whose outer pixels reach half a pixel beyond their centres."""
    outside: NDArray[np.bool_] = (
        (rows < -0.5) | (rows > section.shape[0] - 0.5) | (columns < -0.5) | (columns > section.shape[1] - 0.5)
    )
    return outside


def _own_window(section: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(section, SPREAD)
    return float(low + high) / 2, max(float(high - low), 1e-6)


def _warmth(heat: NDArray[Any]) -> NDArray[np.float64]:
    stops = np.linspace(0, 1, len(WARMTH))
    return np.stack([np.interp(heat, stops, WARMTH[:, part]) for part in range(4)], axis=-1)


@lru_cache(maxsize=8)
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)
