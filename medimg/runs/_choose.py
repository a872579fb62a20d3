"""Choose the series of a study that a model shall read."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import OptionError
from medimg.models import fit
from medimg.values import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from medimg.models import ModelCard
    from medimg.values import Series, Study

NOT_ASKED_FOR = "--series asks for"
RULE = (
    "of the reconstructions of one acquisition that cover the same part of the patient the soft kernel with the thinnest slices"
)
SAME_PART = 0.5  # share of a series' box that lies in another's: reconstructions share nearly all of it, parts of a split nothing
WHOLE_PART = 0.8  # of the longest reconstruction's extent; a shorter one is a detail of it, however thin its slices
# Sharp kernels by maker: GE names them, Siemens and Canon number them (the sharper the higher), Philips letters them.
SHARP_WORDS = ("BONE", "LUNG", "EDGE", "DETAIL", "SHARP", "ULTRA", "HRES", "CHST")
SHARP_LETTERS = ("D", "E", "L", "YC", "YD", "YE")
SHARPEST_SOFT_NUMBER = {"B": 49, "BR": 49, "BF": 49, "BL": 0, "I": 49, "QR": 49, "FC": 19, "H": 49, "D": 49}


@dataclass(frozen=True)
class Choice:
    """The series to read, and for every other one why not."""

    taken: tuple[Series, ...]
    others: tuple[Skipped, ...]


def choose(card: ModelCard, study: Study, *, modality: str = "", wanted: str | None = None, take_all: bool = False) -> Choice:
    """Choose the series of a study that fit `card`: by `RULE` one of each acquisition, all of them, or the one `wanted`."""
    taken: list[Series] = []
    others: list[Skipped] = []
    groups: dict[str, list[Series]] = defaultdict(list)
    for series in study.series:
        reason = fit(card, series, modality=modality)
        if not reason and wanted and series.name != wanted and str(series.series_number) != wanted:
            reason = f"{NOT_ASKED_FOR} {wanted}."
        if reason:
            others.append(Skipped(what=series.name, reason=reason))
        else:
            groups[series.acquisition or series.name].append(series)
    for group in groups.values():
        longest = max(map(_extent_mm, group))
        ranked = sorted(group, key=lambda series: (_extent_mm(series) < WHOLE_PART * longest, *_rank(series)))
        kept: list[Series] = []
        for series in ranked:
            better = next((one for one in kept if _share_within(series, one) >= SAME_PART), None)
            if better is None or take_all:
                kept.append(series)
            else:
                others.append(Skipped(what=series.name, reason=f"{_why_not(series, better)} Taken is, {RULE}."))
        taken.extend(kept)
    return Choice(tuple(taken), tuple(others))


def require_named(studies: Iterable[Study], wanted: str) -> None:
    """Refuse a name that no series has.

    Raises:
        OptionError: with the nearest name.
    """
    series = [series for study in studies for series in study.series]
    known = {one.name for one in series} | {str(one.series_number) for one in series if one.series_number is not None}
    if wanted not in known:
        raise OptionError.unknown("series", wanted, known)


def is_sharp(kernel: str) -> bool:
    """Whether a convolution kernel is one for lung or bone: noise and edges are enhanced, and HU of small things are too high.

    >>> [is_sharp(kernel) for kernel in ("STANDARD", "LUNG", "B30f", "B70f", "Br40d", "FC51", "C", "")]
    [False, True, False, True, False, True, False, False]
    """
    name = kernel.upper().strip()
    if any(word in name for word in SHARP_WORDS) or name in SHARP_LETTERS:
        return True
    numbered = re.match(r"([A-Z]+)(\d+)", name.replace(" ", ""))
    return numbered is not None and int(numbered[2]) > SHARPEST_SOFT_NUMBER.get(numbered[1], 10**6)


def _spacing_mm(series: Series) -> float:
    assert series.grid is not None  # fit() let only readable series through
    return series.grid.spacing_mm[int(np.argmax(np.abs(series.grid.directions[2])))]


def _extent_mm(series: Series) -> float:
    low, high = _box(series)
    return float(high[2] - low[2])


def _box(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners (LPS mm) of the straight box around a series, outer edges included."""
    assert series.grid is not None  # fit() let only readable series through
    corners = np.array(list(np.ndindex(2, 2, 2))) * np.array(series.grid.shape) - 0.5
    places = series.grid.to_mm(corners)
    return places.min(axis=0), places.max(axis=0)


def _share_within(series: Series, other: Series) -> float:
    """Return the share of the box of `series` that lies in the box of `other`."""
    (low, high), (other_low, other_high) = _box(series), _box(other)
    common = np.clip(np.minimum(high, other_high) - np.maximum(low, other_low), 0, None)
    return float(np.prod(common) / np.prod(high - low))


def _rank(series: Series) -> tuple[bool, float, int, str]:
    number = series.series_number if series.series_number is not None else 10**9
    return is_sharp(series.kernel), round(_spacing_mm(series), 2), number, series.name


def _why_not(series: Series, best: Series) -> str:
    if _extent_mm(series) < WHOLE_PART * _extent_mm(best):
        return f"It covers {_extent_mm(series):.0f} mm; {best.name}, of the same acquisition, {_extent_mm(best):.0f} mm."
    if is_sharp(series.kernel) and not is_sharp(best.kernel):
        return f"Its kernel {series.kernel} is sharp; {best.name} is the soft reconstruction of the same acquisition."
    if _spacing_mm(series) > _spacing_mm(best) + 0.005:
        mine, theirs = _spacing_mm(series), _spacing_mm(best)
        return f"Its slices are {mine:.3g} mm apart; those of {best.name}, of the same acquisition, {theirs:.3g} mm."
    return f"It is of the same acquisition as {best.name}, and no better."
