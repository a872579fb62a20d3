"""From measured slices to an even grid: where each slice lies on it, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from medimg.readers._dicom_groups import along, normal_of
from medimg.values import Grid, Hazard, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.readers._dicom_frames import Frame

EVEN_MM, EVEN_SHARE = (
    0.1,
    0.1,
)  # a slice may lie this far (mm, share of a step) from its place: positions are often rounded to 0.1 mm
UNEVEN_MM, UNEVEN_SHARE = (
    0.5,
    0.25,
)  # a step that puts every slice of an uneven stack this near to its place is fine enough (share of the least step)
STRAIGHT_DRIFT_MM = 0.01  # a stack that leaves its normal by less from end to end is straight
TILT_COSINE = 1e-3  # above it a stack is called sheared, as `Grid.is_straight` does
PARTS = (1, 2, 3, 4, 5, 6)  # an uneven stack's step is a part of its usual or its least step
PLACES_PER_SLICE = 6  # more places than this for a measured slice and the volume would be mostly made up
THICKNESS_MM = (1e-3, 1000.0)  # outside of it the number is no thickness of a slice
LISTED = 8  # places that a sentence lists


@dataclass
class Places:
    """The grid of a stack of slices and, for each of its slices, the measured one it is."""

    grid: Grid
    slice_of: tuple[int | None, ...]
    hazards: list[Hazard] = field(default_factory=list)


def place(frames: list[Frame]) -> Places:
    """Put slices (sorted along their normal, no two at one place) on an even grid.

    Every place of the grid takes its values from the nearest measured slice; `slice_of` is None where that slice's own place is
    another.
    """
    first = frames[0]
    rows, columns = first.rows, first.columns
    down, right = first.spacing or (1.0, 1.0)
    axes = np.array(first.orientation).reshape(2, 3)
    spots, hazards = along(frames), []
    if len(frames) == 1:
        step, count, start, notes = _single_step(first)
        hazards += notes
        sideways, index, names = normal_of(first) * step, np.zeros(1), None
    else:
        start, step, count, index = _even(spots)
        sideways = _step_vector(frames, spots) * step
        names = [frame.name for frame in frames]
    affine = np.eye(4)
    affine[:3, 0] = sideways
    affine[:3, 1], affine[:3, 2] = axes[1] * down, axes[0] * right
    affine[:3, 3] = np.array(first.position) + (start - spots[0]) / step * sideways
    frame_of_reference = _frame_of_reference(first)
    grid = Grid((count, rows, columns), affine, frame_of_reference=frame_of_reference)
    slice_of = _slices(index, count)
    if names:
        hazards += _spacing_hazards(spots, index, step, slice_of, names)
    tilt = abs(float(sideways @ axes[1])) / step, abs(float(sideways @ axes[0])) / step
    if max(tilt) > TILT_COSINE:
        angle = np.degrees(np.arctan(np.hypot(*tilt)))
        words = f"The slices are stacked {angle:.1f} degrees off their normal (a tilted gantry); the grid is sheared as they lie."
        hazards.append(Hazard("gantry-tilt", Verdict.NOTED, words))
    return Places(grid, slice_of, hazards)


def nearest_slices(grid: Grid, positions_mm: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each slice of `grid` the number of the measured slice that lies nearest to it."""
    index = grid.to_index(positions_mm)[:, 0]
    order = np.argsort(index, kind="stable")
    middles = (index[order][1:] + index[order][:-1]) / 2
    return order[np.searchsorted(middles, np.arange(grid.shape[0]), side="left")]


def _frame_of_reference(frame: Frame) -> str | None:
    from medimg.readers import _dicom_tags as tag

    return frame.header.text(tag.FRAME_OF_REFERENCE) or None


def _single_step(frame: Frame) -> tuple[float, int, float, list[Hazard]]:
    from medimg.readers import _dicom_tags as tag

    start = float(along([frame])[0])
    said = next(
        (
            value
            for value in (frame.thickness, frame.header.number(tag.SPACING_BETWEEN_SLICES))
            if value and THICKNESS_MM[0] <= value < THICKNESS_MM[1]
        ),
        None,
    )
    if said is not None:
        return (
            said,
            1,
            start,
            [Hazard("single-slice", Verdict.NOTED, f"There is one slice; its thickness, {said:g} mm, is taken as its depth.")],
        )
    words = "There is one slice and no thickness is given; 1 mm is taken as its depth, so volumes are not to be trusted."
    return 1.0, 1, start, [Hazard("no-thickness", Verdict.REPAIRED, words)]


def _step_vector(frames: list[Frame], spots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the stack moves (LPS) for 1 mm along the normal: the normal, and what a tilted gantry adds sideways."""
    normal = normal_of(frames[0])
    points = np.array([frame.position for frame in frames])
    rest = points - spots[:, None] * normal
    far = spots - spots.mean()
    drift = far @ (rest - rest.mean(axis=0)) / (far @ far)
    return normal + (drift if np.linalg.norm(drift) * np.ptp(spots) > STRAIGHT_DRIFT_MM else 0)


def _tolerance(step: float) -> float:
    return min(EVEN_MM, EVEN_SHARE * step)


def _even(spots: NDArray[np.float64]) -> tuple[float, float, int, NDArray[np.float64]]:
    """Return start and step of an even grid for slices at `spots`, its count of places, and each slice's (fractional) place."""
    steps = np.diff(spots)
    usual, least = float(np.median(steps)), float(steps.min())
    limit = PLACES_PER_SLICE * len(spots)
    tried = sorted({base / part for base in (usual, least) for part in PARTS}, reverse=True)
    best: tuple[float, float, float] | None = None
    for guess in tried:
        if np.ptp(spots) / guess + 1 > limit or guess > least * 1.5:
            continue
        start, step, worst = _fitted(spots, guess)
        if worst <= max(_tolerance(step), min(UNEVEN_MM, UNEVEN_SHARE * least)):
            best = (worst, start, step)
            break
        if best is None or worst < 0.9 * best[0]:
            best = (worst, start, step)
    if best is None:
        step = float(np.ptp(spots)) / (limit - 1)
        best = (step / 2, float(spots[0]), step)
    _, start, step = best
    index = (spots - start) / step
    return start, step, round(float(index[-1])) + 1, index


def _fitted(spots: NDArray[np.float64], guess: float) -> tuple[float, float, float]:
    """Fit start and step to slices that are about `guess` apart; return them and how far a slice lies at most from its place."""
    number = np.concatenate([[0.0], np.cumsum(np.rint(np.diff(spots) / guess))])
    loose = np.rint((spots - spots[0]) / guess)
    best = (float(spots[0]), guess, np.inf)
    for count in (number, loose):
        if count[-1] < 1 or (np.diff(count) < 1).any():
            continue
        far = count - count.mean()
        step = float(far @ spots / (far @ far))
        start = float(spots.mean() - step * count.mean())
        worst = float(np.abs(spots - start - step * count).max())
        if worst < best[2]:
            best = (start, step, worst)
    if not np.isfinite(best[2]):
        rest = (spots - spots[0]) / guess
        best = (float(spots[0]), guess, float(np.abs(rest - np.rint(rest)).max() * guess))
    return best


def _slices(index: NDArray[np.float64], count: int) -> tuple[int | None, ...]:
    """Return for each place the slice whose own (nearest) place it is."""
    place = np.clip(np.rint(index), 0, count - 1).astype(int)
    places: list[int | None] = [None] * count
    for number in np.argsort(np.abs(index - place), kind="stable")[::-1].tolist():  # the nearest comes last and stays
        places[place[number]] = number
    return tuple(places)


def _spacing_hazards(
    spots: NDArray[np.float64], index: NDArray[np.float64], step: float, slice_of: tuple[int | None, ...], names: list[str]
) -> list[Hazard]:
    """Say what is uneven about a stack, if anything is."""
    empty = [place for place, number in enumerate(slice_of) if number is None]
    off = float(np.abs(index - np.rint(index)).max() * step)
    unseen = sorted(set(range(len(index))) - {number for number in slice_of if number is not None})
    if off <= _tolerance(step) and not unseen:
        if not empty:
            return []
        usual = float(np.median(np.diff(spots)))
        if abs(usual - step) <= EVEN_SHARE * step:
            return [_gap(empty, spots, step, names, slice_of)]
    low, high = np.diff(spots).min(), np.diff(spots).max()
    words = (
        f"The slices are {low:.4g} to {high:.4g} mm apart; the grid's step is {step:.4g} mm and each of its slices is "
        f"the nearest measured one (at most {_farthest(index, len(slice_of)) * step:.3g} mm away); "
        f"{len(empty)} of its {len(slice_of)} slices are repeats."
    )
    if unseen:
        words += f" {len(unseen)} slices lie too near to others to be on it: {_some([names[number] for number in unseen])}."
    return [Hazard("uneven-spacing", Verdict.REPAIRED, words)]


def _farthest(index: NDArray[np.float64], count: int) -> float:
    places, sorted_index = np.arange(count), np.sort(index)
    after = np.clip(np.searchsorted(sorted_index, places), 1, max(len(index) - 1, 1))
    pair = np.abs(sorted_index[[after - 1, np.minimum(after, len(index) - 1)]] - places)
    return float(pair.min(axis=0).max())


def _gap(empty: list[int], spots: NDArray[np.float64], step: float, names: list[str], slice_of: tuple[int | None, ...]) -> Hazard:
    after = [names[number] for place in empty if place and (number := slice_of[place - 1]) is not None]
    missing = "1 slice is" if len(empty) == 1 else f"{len(empty)} slices are"
    wheres = ", ".join(f"{place + 1}" for place in empty[:LISTED]) + (" ..." if len(empty) > LISTED else "")
    words = (
        f"{missing} missing (slice {wheres} of {len(slice_of)}, counted along the normal; after {_some(after)}); "
        f"each such place repeats the nearest measured slice, at most {_hole(empty) * step:.3g} mm away."
    )
    return Hazard("missing-slice", Verdict.REPAIRED, words)


def _hole(empty: list[int]) -> int:
    """Return how many steps the middle of the longest run of empty places is from a measured one."""
    longest = run = 1
    for before, place in pairwise(empty):
        run = run + 1 if place == before + 1 else 1
        longest = max(longest, run)
    return (longest + 1) // 2


def _some(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
