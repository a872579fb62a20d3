"""Which slices belong together: every series is parted until each part is one box of slices, before any pixel is read.

Position along the normal of ImageOrientationPatient orders slices; instance numbers and file names say nothing. Asked
first is what can never be one volume (frame of reference, matrix, orientation, pixel spacing, kind of values), then the field of
view, then what makes two slices share a place (acquisitions, echoes, times), then holes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_frames import PASSES, Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from numpy.typing import NDArray

SAME_DIRECTION = 1e-3  # cosines written with three decimals differ by less
SAME_SPACING = 1e-3  # relative; DS strings of six digits differ by less
SAME_PLACE_SHARE = 0.25  # of a pixel: the same in micro-CT, whose slices lie nearer
SAME_PLACE_MM = (
    0.02  # two slices nearer than this share a place: positions are written to 0.1 or finer, the thinnest slices are 0.1 apart
)
IN_PLANE_MM = 0.2  # a field of view that moves less is rounding: to 0.1 mm it moves two oblique positions 0.17 mm apart
TILT_LIMIT = 1.0  # sideways step over step along the normal: 45 degrees; gantries tilt to 30
KINDS_SEARCHED = 300  # of orientations or spacings in one series; of more every other one is a kind of its own
BLOCKS_LIMIT = 100  # fields of view in one series
MIN_PASS = 3  # slices that make a pass of its own when two passes interleave
HOLE_LIMIT_MM = 50.0  # slices further apart are two boxes: nothing between them is known

NATURE_WORDS = (  # of `NATURE`, in its order
    "image type",
    "convolution kernel",
    "echo time",
    "b-value",
    "tube voltage",
    "units",
    "decay correction",
)
PASS_WORDS = {
    tag.STACK: "stack",
    tag.OTHER_DIMENSIONS: "dimension index",
    tag.TEMPORAL_POSITION: "temporal position",
    tag.ACQUISITION_NUMBER: "acquisition number",
    tag.ECHO_NUMBER: "echo number",
    tag.INVERSION_TIME: "inversion time",
    tag.FLIP_ANGLE: "flip angle",
    tag.TRIGGER_TIME: "trigger time",
    tag.FRAME_REFERENCE_TIME: "frame reference time",
    tag.CONTRAST_AGENT: "contrast agent",
    tag.SLICE_THICKNESS: "slice thickness",
    tag.ACQUISITION_DATETIME: "acquisition time",
    tag.ACQUISITION_TIME: "acquisition time",
    tag.CONTENT_TIME: "content time",
    tag.SERIES_NUMBER: "series number",
    tag.COMPLEX_COMPONENT: "complex component",
    tag.CARDIAC_PHASE: "cardiac phase",
}
# Of passes that lie between each other's slices: what says that they show another contrast. Times do not, because slices of one
# pass are often measured in another order than they lie.
CONTRASTS = (
    tag.TEMPORAL_POSITION,
    tag.ACQUISITION_NUMBER,
    tag.STACK,
    tag.ECHO_NUMBER,
    tag.INVERSION_TIME,
    tag.FLIP_ANGLE,
    tag.SIEMENS_B_VALUE,
    tag.GE_B_VALUE,
    tag.PHILIPS_B_VALUE,
    tag.CONTRAST_AGENT,
    tag.COMPLEX_COMPONENT,
    tag.SERIES_NUMBER,
    tag.SLICE_THICKNESS,
)
CLOCKS = (  # what may tell passes apart by their order alone; the numbers of images only where they run on from pass to pass
    (tag.ACQUISITION_DATETIME, "acquisition time"),
    (tag.ACQUISITION_TIME, "acquisition time"),
    (tag.CONTENT_TIME, "content time"),
    (tag.TRIGGER_TIME, "trigger time"),
    (tag.INSTANCE_NUMBER, "instance number"),
)


@dataclass
class Part:
    """Frames that may be one volume, sorted along the normal, and what told them apart from the others of their series."""

    frames: list[Frame]
    reasons: tuple[str, ...] = ()
    refusal: tuple[str, str] | None = None
    duplicates: list[Frame] = field(default_factory=list)
    shifted_mm: float = 0.0  # the field of view moves sideways by up to this

    def with_frames(self, frames: list[Frame], reason: str = "") -> Part:
        """Return a part of this part."""
        return Part(frames, self.reasons + ((reason,) if reason and reason not in self.reasons else ()))


def parted(frames: list[Frame], same_pixels: Callable[[Frame, Frame], bool]) -> list[Part]:
    """Part the placed frames of one series into boxes of slices.

    `same_pixels` says whether two frames hold the same stored values; it is asked only for frames that share a place.
    """
    parts = _by_kind(frames)
    for step in (_by_field_of_view, lambda part: _by_pass(part, same_pixels), _by_hole):
        parts = [piece for part in parts for piece in ([part] if part.refusal else step(part))]
    return parts


def same_place_mm(frame: Frame) -> float:
    """Return how near to each other slices like this one share a place."""
    return min(SAME_PLACE_MM, SAME_PLACE_SHARE * min(frame.spacing or (SAME_PLACE_MM / SAME_PLACE_SHARE,)))


def normal_of(frame: Frame) -> NDArray[np.float64]:
    """Return the direction in which slices are stacked: rows' direction x columns' direction."""
    axes = np.array(frame.orientation)
    normal = np.cross(axes[:3], axes[3:])
    return normal / np.linalg.norm(normal)


def along(frames: list[Frame]) -> NDArray[np.float64]:
    """Return where each frame lies along the normal of the first, mm."""
    return np.array([frame.position for frame in frames]) @ normal_of(frames[0])


def _by_kind(frames: list[Frame]) -> list[Part]:
    directions = _Clusters(SAME_DIRECTION, relative=False)
    spacings = _Clusters(SAME_SPACING, relative=True)
    keys: dict[Hashable, list[Frame]] = {}
    for frame in frames:
        key = (
            frame.header.tags.get(tag.FRAME_OF_REFERENCE, b"").rstrip(b"\0 "),
            (frame.rows, frame.columns),
            directions.number(frame.orientation),
            spacings.number(frame.spacing),
            frame.modality,
            unit_of(frame),
            frame.text(tag.PHOTOMETRIC),
            *frame.nature,
        )
        keys.setdefault(key, []).append(frame)
    words = ("frame of reference", "matrix size", "orientation", "pixel spacing", "modality", "unit", "polarity", *NATURE_WORDS)
    reasons = tuple(word for word, values in zip(words, zip(*keys, strict=True), strict=True) if len(set(values)) > 1)
    return [Part(_sorted(members), reasons) for members in keys.values()]


def unit_of(frame: Frame) -> str:
    """Return the unit of a frame's values, as far as slices of one volume must agree on it."""
    told = frame.mapping.unit if frame.is_mapped and frame.mapping else frame.text(tag.RESCALE_TYPE)
    if frame.has_lut:
        return ""  # the table's type says it, which is looked at when it is read
    return told or ("HU" if frame.modality == "CT" else "")


class _Clusters:
    """Number values so that those within a tolerance of the first of their kind share a number."""

    def __init__(self, tolerance: float, *, relative: bool) -> None:
        self.tolerance, self.relative = tolerance, relative
        self.first: list[tuple[float, ...]] = []
        self.known: dict[tuple[float, ...] | None, int] = {None: -1}

    def number(self, value: tuple[float, ...] | None) -> int:
        if value not in self.known and len(self.first) >= KINDS_SEARCHED:
            self.known[value] = len(self.first)
            self.first.append(value)  # type: ignore[arg-type]  # None is known from the start
        if value not in self.known:
            self.known[value] = next((at for at, other in enumerate(self.first) if self._near(value, other)), len(self.first))
            if self.known[value] == len(self.first):
                self.first.append(value)  # type: ignore[arg-type]  # None is known from the start
        return self.known[value]

    def _near(self, value: tuple[float, ...] | None, other: tuple[float, ...]) -> bool:
        return value is not None and all(
            abs(a - b) <= self.tolerance * (abs(b) if self.relative else 1) for a, b in zip(value, other, strict=True)
        )


def _sorted(frames: list[Frame]) -> list[Frame]:
    place = along(frames)
    return [frames[at] for at in np.argsort(place, kind="stable")]


def _by_field_of_view(part: Part) -> list[Part]:
    """Part slices whose field of view jumps sideways; a steady sideways step is a tilted gantry and stays one part."""
    frames = part.frames
    if len(frames) < 2:
        return [part]
    axes = np.array(frames[0].orientation).reshape(2, 3)
    points = np.array([frame.position for frame in frames])
    place, plane = points @ normal_of(frames[0]), points @ axes.T
    best: NDArray[np.int64] | None = None
    for slope in _slopes(place, plane, same_place_mm(frames[0])):
        rest = plane - place[:, None] * slope
        labels = _cluster(rest, max(2, min(len(frames) // 3, BLOCKS_LIMIT)))
        if best is None or labels.max() < best.max():
            best = labels
            spread = float(np.ptp(rest, axis=0).max())
        if best.max() == 0:
            part.shifted_mm = spread if spread > same_place_mm(frames[0]) else 0.0
            return [part]
    count = int(best.max()) + 1  # type: ignore[union-attr]
    if count > max(2, min(len(frames) // 3, BLOCKS_LIMIT)):  # no blocks: every slice lies a little elsewhere
        part.shifted_mm = float(np.ptp(plane - np.median(plane, axis=0), axis=0).max())
        if part.shifted_mm <= min(frames[0].spacing or (0.0,)):
            return [part]
        words = f"Its slices lie up to {part.shifted_mm:.3g} mm beside each other without a rule"
        part.refusal = ("shifted-slices", words)
        return [part]
    pieces = [[frame for frame, label in zip(frames, best, strict=True) if label == k] for k in range(count)]  # type: ignore[arg-type]
    return [part.with_frames(piece, "field of view") for piece in pieces]


def _slopes(place: NDArray[np.float64], plane: NDArray[np.float64], same_mm: float) -> Iterable[NDArray[np.float64]]:
    """Yield the sideways step per mm that the slices may have: none, that of all together, the commonest between neighbours."""
    yield np.zeros(2)
    far = place - place.mean()
    if np.ptp(place) <= same_mm:
        return
    fitted = far @ (plane - plane.mean(axis=0)) / (far @ far)
    steps = np.diff(place)
    moved = steps > same_mm
    usual = np.median(np.diff(plane, axis=0)[moved] / steps[moved, None], axis=0)
    for slope in (fitted, usual):
        if np.linalg.norm(slope) <= TILT_LIMIT:
            yield slope


def _cluster(points: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Number points so that neighbours within `IN_PLANE_MM` of the first of their kind share a number; all beyond `most` one."""
    labels, first = np.full(len(points), -1), 0
    while (labels < 0).any():
        if first > most:
            labels[labels < 0] = first
            break
        seed = points[np.argmax(labels < 0)]
        near = (labels < 0) & (np.abs(points - seed).max(axis=1) <= IN_PLANE_MM)
        labels[near] = first
        first += 1
    return labels


def _by_pass(part: Part, same_pixels: Callable[[Frame, Frame], bool]) -> list[Part]:
    """Part slices that share places, or passes that interleave; drop duplicates; refuse what contradicts itself."""
    shared = _shared(part.frames)
    if not shared:
        return _uninterleaved(part)
    kept, duplicates = _without_same_instance(part.frames, same_pixels)
    if duplicates:
        part = Part(kept, part.reasons, None, part.duplicates + duplicates)
        shared = _shared(kept)
        if not shared:
            return _uninterleaved(part)
    places = len(part.frames) - sum(len(group) - 1 for group in shared)
    if 2 * len(shared) < places:  # a few doubled slices in one pass
        same = [group for group in shared if all(same_pixels(group[0], other) for other in group[1:])]
        if len(same) == len(shared):
            drop = {id(frame) for group in shared for frame in group[1:]}
            rest = [frame for frame in part.frames if id(frame) not in drop]
            gone = [frame for frame in part.frames if id(frame) in drop]
            return _uninterleaved(Part(rest, part.reasons, None, part.duplicates + gone))
    most = max(map(len, shared))
    for key in PASSES:
        groups = _grouped(part.frames, key)
        if key == tag.TRIGGER_TIME and len(groups) > most:  # it differs from slice to slice: only its order tells
            passes = _by_clock(part, places, ((tag.TRIGGER_TIME, "trigger time"),))
            if passes:
                passes[0].duplicates += part.duplicates
                return passes
        useful = len(groups) > 1 and (len(groups) == most or len(part.frames) >= 2 * len(groups))
        if useful and sum(len(group) for members in groups for group in _shared(members)) < sum(map(len, shared)):
            word = PASS_WORDS.get(key, "diffusion weighting")
            pieces = [piece for members in groups for piece in _by_pass(part.with_frames(members, word), same_pixels)]
            pieces[0].duplicates += part.duplicates
            return pieces
    passes = _by_clock(part, places)
    if passes:
        passes[0].duplicates += part.duplicates
        return passes
    if all(same_pixels(group[0], other) for group in shared for other in group[1:]):
        drop = {id(frame) for group in shared for frame in group[1:]}
        gone = [frame for frame in part.frames if id(frame) in drop]
        return [Part([frame for frame in part.frames if id(frame) not in drop], part.reasons, None, part.duplicates + gone)]
    if places == 1:
        part.refusal = ("one-place", f"All {len(part.frames)} slices say that they lie at one place")
    else:
        names = " and ".join(frame.name for frame in shared[0][:2])
        words = f"{names} lie at one place with different pixels, and nothing in them says which is which"
        part.refusal = ("conflicting-slices", words)
    return [part]


def _shared(frames: list[Frame]) -> list[list[Frame]]:
    """Return the groups of frames (sorted along the normal) that share a place."""
    if len(frames) < 2:
        return []
    starts = [0, *(np.flatnonzero(np.diff(along(frames)) > same_place_mm(frames[0])) + 1), len(frames)]
    return [frames[a:b] for a, b in pairwise(starts) if b - a > 1]


def _grouped(frames: list[Frame], key: int) -> list[list[Frame]]:
    groups: dict[bytes, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(frame.tell(key), []).append(frame)
    return list(groups.values())


def _without_same_instance(frames: list[Frame], same_pixels: Callable[[Frame, Frame], bool]) -> tuple[list[Frame], list[Frame]]:
    """Drop copies: the same SOP instance (and frame) with the same pixels."""
    first: dict[tuple[bytes, int], Frame] = {}
    kept, copies = [], []
    for frame in frames:
        instance = (frame.header.tags.get(tag.SOP_INSTANCE, b""), frame.index)
        if instance[0] and instance in first and same_pixels(first[instance], frame):
            copies.append(frame)
        else:
            first.setdefault(instance, frame)
            kept.append(frame)
    return kept, copies


def _uninterleaved(part: Part) -> list[Part]:
    """Part passes that lie between each other's slices (other table positions, perhaps another breath)."""
    if len({tuple(map(frame.header.tags.get, CONTRASTS)) for frame in part.frames}) == 1 and not part.frames[0].own:
        return [part]  # the usual case, in a tenth of the time
    for key in CONTRASTS:
        groups = _grouped(part.frames, key)
        if len(groups) < 2 or min(map(len, groups)) < MIN_PASS:
            continue
        spans = _spans(part, groups)
        if any(low < high_before for (_, high_before), (low, _) in pairwise(spans)):
            pieces = [part.with_frames(group, PASS_WORDS.get(key, "diffusion weighting")) for group in groups]
            pieces[0].duplicates = part.duplicates
            return pieces
    return [part]


def _spans(part: Part, groups: list[list[Frame]]) -> list[tuple[float, float]]:
    place = dict(zip(map(id, part.frames), along(part.frames), strict=True))
    return sorted((min(place[id(frame)] for frame in group), max(place[id(frame)] for frame in group)) for group in groups)


def _by_clock(part: Part, places: int, clocks: tuple[tuple[int, str], ...] = CLOCKS) -> list[Part]:
    """Part passes by the clock alone: every place was taken equally often, and each pass ended before the next began."""
    starts = [0, *(np.flatnonzero(np.diff(along(part.frames)) > same_place_mm(part.frames[0])) + 1), len(part.frames)]
    stacks = [part.frames[a:b] for a, b in pairwise(starts)]
    count = len(stacks[0])
    if count < 2 or any(len(stack) != count for stack in stacks) or places < 2:
        return []
    for key, word in clocks:
        known = {id(frame): frame.moment(key) for frame in part.frames}
        moments = {frame: moment for frame, moment in known.items() if moment is not None}
        if len(moments) < len(known):
            continue
        ordered = [sorted(stack, key=lambda frame: moments[id(frame)]) for stack in stacks]
        passes = [[stack[rank] for stack in ordered] for rank in range(count)]
        times = [[moments[id(frame)] for frame in members] for members in passes]
        if all(max(before) < min(after) for before, after in pairwise(times)):
            return [part.with_frames(members, word) for members in passes]
    return []


def _by_hole(part: Part) -> list[Part]:
    """Part boxes that lie further apart than `HOLE_LIMIT_MM`, unless all slices are that far apart."""
    place = along(part.frames)
    steps = np.diff(place)
    if len(steps) < 2:
        return [part]
    cuts = np.flatnonzero(steps > max(HOLE_LIMIT_MM, 1.5 * float(np.median(steps)))) + 1
    if not len(cuts):
        return [part]
    edges = [0, *cuts, len(place)]
    pieces = [part.with_frames(part.frames[a:b], f"a hole of more than {HOLE_LIMIT_MM:g} mm") for a, b in pairwise(edges)]
    pieces[0].duplicates = part.duplicates
    return pieces
