"""Fill contours: a pixel is in where a ray from its centre crosses the outlines an odd number of times."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CROSSED_LIMIT = 40  # outlines of a slice that are looked at for crossing each other
POINTS_LIMIT = 10_000  # of their points; drawings have some hundreds
AT_ONCE = 1 << 22  # crossings held in memory
CROSSINGS_LIMIT = 1 << 27  # of one slice; a contour of a million points that runs up and down a slice has no more


class TooManyCrossingsError(Exception):
    """Outlines that cross a slice's rows more often than any drawing does."""


def filled(outlines: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels (rows, columns) whose centres lie inside of closed outlines, each (points, 2) of (row, column).

    The rule is even-odd over all outlines together, so that an outline within another one is a hole, and so is what a keyhole
    leaves out. A centre on an upper or left edge is in, one on a lower or right edge is not: areas that share an edge share no
    pixel. What lies outside of the slice is cut off.
    """
    rows, columns = shape
    starts = np.concatenate(outlines)
    ends = np.concatenate([np.roll(outline, -1, axis=0) for outline in outlines])
    turned = starts[:, 0] > ends[:, 0]  # every edge downwards: the two ways along a keyhole's channel must meet the same pixels
    upper, lower = np.where(turned[:, None], ends, starts), np.where(turned[:, None], starts, ends)
    first = np.clip(np.ceil(upper[:, 0]), 0, rows).astype(np.int64)
    count = np.clip(np.ceil(lower[:, 0]), 0, rows).astype(np.int64) - first
    kept = count > 0
    upper, lower, first, count = upper[kept], lower[kept], first[kept], count[kept]
    total = np.cumsum(count)
    if len(total) and total[-1] > CROSSINGS_LIMIT:
        raise TooManyCrossingsError
    slope = (lower[:, 1] - upper[:, 1]) / (lower[:, 0] - upper[:, 0]) if len(total) else total.astype(np.float64)
    toggles = np.zeros(rows * (columns + 1), dtype=np.int64)
    begin = 0
    while begin < len(total):
        before = total[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(total, before + AT_ONCE, side="right")))
        part = slice(begin, end)
        edge = np.repeat(np.arange(begin, end), count[part])
        row = first[edge] + np.arange(len(edge)) - np.repeat(total[part] - count[part] - before, count[part])
        column = np.ceil(upper[edge, 1] + (row - upper[edge, 0]) * slope[edge])
        flat = row * (columns + 1) + np.clip(column, 0, columns).astype(np.int64)
        toggles += np.bincount(flat, minlength=len(toggles))
        begin = end
    inside: NDArray[np.bool_] = np.cumsum(toggles.reshape(rows, columns + 1), axis=1)[:, :columns] % 2 == 1
    return inside


def cross(outlines: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> bool:
    """Whether two outlines of one slice overlap and neither lies within the other, or both hold the same pixels.

    Then even-odd may not be what was meant.
    """
    if sum(map(len, outlines)) > POINTS_LIMIT:
        return False
    boxes = []
    for outline in outlines[:CROSSED_LIMIT]:
        low, high = np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0)) + 1
        boxes.append((np.maximum(low, 0).astype(int), np.minimum(high, shape).astype(int)))
    for (one, (low, high)), (other, (other_low, other_high)) in combinations(zip(outlines, boxes, strict=False), 2):
        if (np.maximum(low, other_low) >= np.minimum(high, other_high)).any():
            continue
        start, stop = np.minimum(low, other_low), np.maximum(high, other_high)
        size = (int(stop[0] - start[0]), int(stop[1] - start[1]))
        first, second = filled([one - start], size), filled([other - start], size)
        shared, one_has, other_has = (int(np.count_nonzero(pixels)) for pixels in (first & second, first, second))
        if shared and (shared not in (one_has, other_has) or one_has == other_has):
            return True
    return False
