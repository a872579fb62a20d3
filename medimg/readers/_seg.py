"""Read a DICOM SEG as a Mask: on the grid of its own frames, or exactly on the slices of the scan it was drawn on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import GeometryError, OptionError
from medimg.readers._dicom_object import damaged
from medimg.readers._labels import OVERLAPS, VOXELS_LIMIT, painted, repeated
from medimg.readers._misfit import Drawn, contradiction, drawn_elsewhere, guess_for, misfit, require_same_patient
from medimg.readers._scan_slices import TOLERANCE_MM, TOLERANCE_SHARE, Fit, ScanSlices, slices_of, slices_of_grid
from medimg.readers._seg_file import SegFile, SegFrame, seg_file
from medimg.values import Grid, Mask
from medimg.values.mask import labels_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from medimg.readers._scan_slices import Names
    from medimg.values import Series, Volume

PLACES = ("position", "source")
SAME_PLANE_MM = 0.02  # frames nearer than this along the normal are segments of one slice
THICKNESS_MM = (1e-3, 1000.0)  # outside of it the number is no thickness of a slice
SAME_STEP = 0.02  # share: a distance that is stated is rounded, not another one
CHECKED_OFF_MM = 0.5  # a frame may name a source that lies this far off: resampled ones do


def read_seg(
    path: str | Path,
    *,
    scan: Volume | Series | str | Path | None = None,
    segments: Sequence[int | str] | None = None,
    threshold: float = 0.5,
    overlap: str = "refuse",
    place_by: str = "position",
    cut: bool = False,
) -> Mask:
    """Read a DICOM SEG (BINARY, FRACTIONAL or LABELMAP) as a Mask in patient space; a label is the segment's number.

    Without `scan` the mask lies on the even grid of its own frames (a sheared one if they are tilted; frames that the SEG leaves
    out are empty). With `scan` it lies on the scan's own grid, frame by frame on the slice where each frame says that it lies: on
    tilted, uneven, oblique, reversed and multi-frame scans too. Pixels are never interpolated: every pixel's centre must lie on
    the centre of one of the scan's, to a tenth of a voxel and 0.1 mm, or the SEG is refused with what is off by how many
    millimetres. Places of the grid where nothing was measured repeat the labels of the slice whose values they repeat.

    Args:
        path: the file.
        scan: what it was drawn on: a path (a folder may hold a whole study: the series that the SEG names is taken), a Series of
            `medimg.readers.scan`, or a Volume (which has uneven slices evened out, so that a Series is surer).
        segments: read only these, by number or by label.
        threshold: of a FRACTIONAL segmentation: the share of its maximum from which a voxel is in. It stands in `remarks`.
        overlap: what becomes of voxels that several segments claim: "refuse", or "smallest": they are the smallest segment's.
        place_by: "position", or "source": each frame is laid on the slice that it names as its source, wherever it says that it
            lies. A remedy for files whose positions are damaged; it stands in `remarks`.
        cut: leave out what lies beyond the ends or edges of the scan, with a remark, instead of refusing it.

    Raises:
        ScanError: the file is no SEG or is damaged; the scan cannot be read, or is another patient's.
        GeometryError: it does not lie on the scan, has no grid of its own, or its segments overlap.
        OptionError: an option has a value that cannot be.
    """
    require_choices(overlap=overlap, place_by=place_by, threshold=threshold)
    if place_by == "source" and scan is None:
        raise OptionError("place_by", place_by, "scan= too: without it there are no slices to be laid on")
    found = seg_file(path)
    wanted = _wanted(found, segments)
    if scan is None:
        slices = _own_slices(found)
    else:
        slices = slices_of(scan, **_names(found))
        require_same_patient(slices, patient=found.patient, frame_of_reference=found.frame_of_reference, name=Path(path).name)
    return _mask(found, slices, wanted, threshold=threshold, overlap=overlap, place_by=place_by, cut=cut)


def require_choices(*, overlap: str, place_by: str, threshold: float) -> None:
    """Refuse options that cannot be, before any work is done.

    Raises:
        OptionError: with the nearest that can.
    """
    if not 0 < threshold <= 1:
        raise OptionError("threshold", threshold, "a share above 0, at most 1")
    if place_by not in PLACES:
        raise OptionError.unknown("place_by", place_by, PLACES)
    if overlap not in OVERLAPS:
        raise OptionError.unknown("overlap", overlap, OVERLAPS)


def segments_of(path: str | Path) -> tuple[int, ...]:
    """Return the numbers of the segments that a DICOM SEG describes."""
    return tuple(sorted(_wanted(seg_file(path), None)))


def names_of_seg(path: str | Path) -> Names:
    """Return what a DICOM SEG names as what it was drawn on."""
    return _names(seg_file(path))


def _names(found: SegFile) -> Names:
    return {
        "series_uids": found.series_uids,
        "instance_uids": {uid for frame in found.frames for uid, _ in frame.sources},
        "frame_of_reference": found.frame_of_reference,
    }


def _wanted(found: SegFile, segments: Sequence[int | str] | None) -> set[int]:
    known = {number for number in found.segments if number != found.background or found.kind != "LABELMAP"}
    if segments is None:
        return known
    names = {str(number): number for number in known}
    names |= {found.segments[number].name: number for number in sorted(known, reverse=True) if found.segments[number].name}
    if isinstance(segments, str | int):
        segments = [segments]
    for one in segments:
        if str(one) not in names:
            known_names = {str(number) for number in known} | {found.told[number] for number in known if found.told[number]}
            raise OptionError.unknown("segments", str(one), known_names)
    return {names[str(one)] for one in segments}


def _mask(
    found: SegFile, slices: ScanSlices, wanted: set[int], *, threshold: float, overlap: str, place_by: str, cut: bool
) -> Mask:
    fits, remarks = _fitted(found, slices, wanted, threshold=threshold, place_by=place_by, cut=cut)
    remarks = drawn_elsewhere(slices, found.series_uids) + remarks

    def planes() -> Iterator[tuple[int, int, int, int, NDArray[np.bool_]]]:
        for frame, fit in fits:
            for label, pixels in _labelled(found, frame, wanted, threshold=threshold):
                yield label, fit.index, fit.row, fit.column, fit.turned(pixels)

    names = {number: found.told[number] for number in wanted}
    array, outside, notes = painted(
        planes,
        slices.grid.shape,
        most=max(wanted),
        overlap=overlap,
        names=names,
        remedy="one at a time with --segments LIST (segments=[...])",
    )
    if outside and not cut:
        raise GeometryError(
            f"{sum(outside.values())} voxels of the segmentation lie beyond the edges of the scan's slices. Give the scan it was "
            "drawn on, or leave them out with --cut (cut=True)."
        )
    if outside:
        remarks += (f"{sum(outside.values())} voxels lay beyond the edges of the scan's slices and were left out.",)
    if found.kind == "FRACTIONAL":
        meant = found.fraction.lower() or "of a kind that the file does not say"
        remarks += (f"The segmentation is fractional ({meant}); voxels of at least {threshold:g} of its maximum were taken.",)
    array = repeated(array, slices, {fit.spot for _, fit in fits})
    empty = sorted(wanted - set(labels_in(array)))
    if empty:
        remarks += (f"No voxel has label {', '.join(map(str, empty))}, which the file describes.",)
    grid = replace(slices.grid, frame_of_reference=slices.grid.frame_of_reference or found.frame_of_reference or None)
    return Mask(
        array=array,
        grid=grid,
        labels={number: code for number, code in found.codes.items() if number in wanted},
        segments={number: segment for number, segment in found.segments.items() if number in wanted},
        remarks=remarks + notes,
    )


def _labelled(found: SegFile, frame: SegFrame, wanted: set[int], *, threshold: float) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield the labels of a frame that are wanted, with their pixels."""
    if frame.segment is not None and frame.segment not in wanted:
        return
    stored = found.pixels(frame.index)
    if frame.segment is not None:
        inside = stored >= threshold * found.most if found.kind == "FRACTIONAL" else stored > 0
        if inside.any():
            yield frame.segment, inside
        return
    for value in np.unique(stored).tolist():
        if value == found.background:
            continue
        if value not in found.segments:
            raise damaged(found.path, f"frame {frame.index + 1} of it has pixels of segment {value}, which it does not describe")
        if value in wanted:
            yield value, stored == value


def _fitted(
    found: SegFile, slices: ScanSlices, wanted: set[int], *, threshold: float, place_by: str, cut: bool
) -> tuple[list[tuple[SegFrame, Fit]], tuple[str, ...]]:
    """Return the slice that each frame lies on; frames without a wanted pixel may lie anywhere.

    Raises:
        GeometryError: frames lie on no slice, or name another one than they lie on.
    """
    drawn = Drawn("Its frames", "frame", _remedy(found, slices) if place_by == "position" else "")
    frames = [frame for frame in found.frames if frame.segment is None or frame.segment in wanted]
    fits, missed, beyond, turned_away = [], [], 0, []
    there: dict[tuple[int | None, int, int, int], int] = {}
    for frame in frames:
        spot = _source_spot(frame, slices) if place_by == "source" else None
        if place_by == "source" and spot is None:
            if any(True for _ in _labelled(found, frame, wanted, threshold=threshold)):
                raise GeometryError(
                    f"Frame {frame.index + 1} names no slice of the scan as its source, so it cannot be laid on one. "
                    'Read it with --place-by position (place_by="position"), or give the scan it was drawn on.'
                )
            continue
        fit = slices.fit(frame.plane, spot=spot)
        if isinstance(fit, Fit) and fit.index >= 0:
            fits.append((frame, fit))
            _require_alone(there, frame, fit)
            if place_by == "position" and not _agrees(frame, fit, slices):
                turned_away.append(frame)
            continue
        if not any(True for _ in _labelled(found, frame, wanted, threshold=threshold)):
            continue
        if isinstance(fit, Fit):
            raise GeometryError(
                f"Frame {frame.index + 1} lies on a slice that is not on the scan's grid, because it lies too near to another. "
                "Read the segmentation without scan=."
            )
        height = frame.plane.position_mm @ slices.normal
        if cut and fit.why == "slice" and not slices.heights.min() <= height <= slices.heights.max():
            beyond += 1
            continue
        missed.append((frame, fit))
    if missed:
        planes, misses = [frame.plane for frame, _ in missed], [fit for _, fit in missed]
        raise misfit(planes, misses, len(frames), slices, drawn)
    if turned_away:
        spots = [slices.positions_mm[_source_spot(frame, slices) or 0] for frame in turned_away]
        off = [float(np.linalg.norm(frame.plane.position_mm - spot)) for frame, spot in zip(turned_away, spots, strict=True)]
        guess = guess_for([frame.plane for frame in turned_away], spots)
        raise contradiction([frame.index for frame in turned_away], off, len(frames), guess, drawn)
    if beyond and not fits:
        raise GeometryError("The segmentation lies wholly beyond the ends of the scan. Give the scan it was drawn on.")
    remarks: tuple[str, ...] = ()
    if beyond:
        remarks += (f"{beyond} of {len(frames)} frames lay beyond the ends of the scan and were left out.",)
    if place_by == "source" and fits:
        off_mm = max(fit.off_mm for _, fit in fits)
        remarks += (
            f"Its frames were laid on the slices that they name as sources, up to {off_mm:.3g} mm from where they say they lie.",
        )
    return fits, remarks


def _require_alone(there: dict[tuple[int | None, int, int, int], int], frame: SegFrame, fit: Fit) -> None:
    """Refuse two frames that draw one segment at one place: which of them holds is not known."""
    key = (frame.segment, fit.index, fit.row, fit.column)
    if key in there:
        what = "the labels" if frame.segment is None else f"segment {frame.segment}"
        raise GeometryError(
            f"Frames {there[key] + 1} and {frame.index + 1} both draw {what} on one slice (several points in time?), and a mask "
            "has one. Export one point in time."
        )
    there[key] = frame.index


def _remedy(found: SegFile, slices: ScanSlices) -> str:
    """Return what helps where positions do not: the sources, if all frames name a slice of this scan."""
    if slices.instances and all(_source_spot(frame, slices) is not None for frame in found.frames):
        return (
            'Export it again, or read it with --place-by source (place_by="source"), which lays each frame on the slice that it '
            "names"
        )
    return ""


def _source_spot(frame: SegFrame, slices: ScanSlices) -> int | None:
    """Return the slice that a frame names as its source, if it is one of the scan."""
    return next((slices.instances[source] for source in frame.sources if source in slices.instances), None)


def _agrees(frame: SegFrame, fit: Fit, slices: ScanSlices) -> bool:
    """Whether one of a frame's sources lies where the frame lies; a frame whose sources are not of this scan agrees."""
    spots = [slices.instances[source] for source in frame.sources if source in slices.instances]
    here = slices.heights[fit.spot]
    return not spots or any(abs(slices.heights[spot] - here) <= max(CHECKED_OFF_MM, slices.plane_mm / 2) for spot in spots)


def _own_slices(found: SegFile) -> ScanSlices:
    """Return the even grid that the frames themselves make.

    Raises:
        GeometryError: they make none.
    """
    first = found.frames[0].plane
    normal = np.cross(first.right, first.down)
    for frame in found.frames:
        plane = frame.plane
        if max(np.abs(plane.right - first.right).max(), np.abs(plane.down - first.down).max()) > 1e-3 or not np.allclose(
            plane.spacing_mm, first.spacing_mm, rtol=1e-3
        ):
            raise GeometryError("Its frames differ in direction or pixel size, so they are no one grid. Give scan=.")
    points = np.array([frame.plane.position_mm for frame in found.frames])
    heights = points @ normal
    order = np.argsort(heights, kind="stable")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(heights[order]) > SAME_PLANE_MM) + 1])
    spots, corners = heights[order][starts], points[order][starts]
    if len(spots) == 1:
        step = next((value for value in found.slice_mm[::-1] if value and THICKNESS_MM[0] <= value < THICKNESS_MM[1]), None)
        if step is None:
            raise GeometryError("It has one slice and does not say how thick that is. Give scan=, the scan it was drawn on.")
        places, stride = np.zeros(1, np.int64), normal * step
    else:
        step = _step(spots, found.slice_mm[0])
        places = np.rint((spots - spots[0]) / step).astype(np.int64)
        far = places - places.mean()
        stride = far @ corners / (far @ far)
    count = int(places[-1]) + 1
    if count * first.shape[0] * first.shape[1] > VOXELS_LIMIT:
        raise GeometryError("The grid of its frames would have more voxels than are held at once. Give scan=.")
    affine = np.eye(4)
    affine[:3, 0] = stride
    affine[:3, 1], affine[:3, 2] = first.down * first.spacing_mm[0], first.right * first.spacing_mm[1]
    affine[:3, 3] = corners.mean(axis=0) - stride * places.mean()
    return slices_of_grid(Grid((count, *first.shape), affine, frame_of_reference=found.frame_of_reference or None))


def _step(spots: NDArray[np.float64], stated: float | None) -> float:
    """Return the distance of an even grid that all `spots` lie on: the one that the file states, else the least there is.

    Raises:
        GeometryError: there is none.
    """
    apart = np.diff(spots)
    least = float(apart.min())
    guesses = [stated] if stated and THICKNESS_MM[0] <= stated <= least + TOLERANCE_MM else []
    for guess in (*guesses, least):
        number = np.concatenate([[0.0], np.cumsum(np.rint(apart / guess))])
        if number[-1] < 1 or (np.diff(number) < 1).any():
            continue
        far = number - number.mean()
        step = float(far @ spots / (far @ far))
        is_told = abs(step - guess) <= SAME_STEP * guess or guess == least
        if is_told and np.abs(spots - spots.mean() - far * step).max() <= min(TOLERANCE_MM, TOLERANCE_SHARE * step):
            return step
    raise GeometryError(
        f"Its frames lie {apart.min():.4g} to {apart.max():.4g} mm apart, at places of no even grid. "
        "Give scan=, the scan it was drawn on."
    )
