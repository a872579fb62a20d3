"""Read the contours of an RTSTRUCT as a Mask on the slices of the scan they were drawn on (PS3.3 C.8.8.5, C.8.8.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import GeometryError, OptionError, ScanError
from medimg.readers import _dicom_tags as tag
from medimg.readers._contours import TooManyCrossingsError, cross, filled
from medimg.readers._dicom_header import NotDicomError
from medimg.readers._dicom_object import damaged, read_object, told, words_of
from medimg.readers._labels import painted, repeated
from medimg.readers._misfit import GIVE_ITS_OWN, drawn_elsewhere, require_same_patient, span_mm
from medimg.readers._scan_slices import TOLERANCE_MM, TOLERANCE_SHARE, ScanSlices, slices_of
from medimg.values import Mask, Segment
from medimg.values.mask import labels_in
from medimg.values.segment import HOW_MADE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from medimg.readers._dicom_object import Item
    from medimg.readers._scan_slices import Names
    from medimg.values import Code, Series, Volume

CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
ROIS, ROI_NUMBER, ROI_NAME, ROI_ALGORITHM = 0x30060020, 0x30060022, 0x30060026, 0x30060036
ROI_FRAME = 0x30060024
ROI_CONTOURS, CONTOURS, OF_ROI = 0x30060039, 0x30060040, 0x30060084
KIND, POINT_COUNT, POINTS, CONTOUR_IMAGES = 0x30060042, 0x30060046, 0x30060050, 0x30060016
FRAMES, STUDIES, SERIES = 0x30060010, 0x30060012, 0x30060014
OBSERVATIONS, ROI_CODE = 0x30060080, 0x30060086
INSTANCE = 0x00081155
AREAS = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
ROIS_LIMIT, CONTOURS_LIMIT = 10_000, 1_000_000
CENTRE_LIMIT_MM = 1e5  # a point further off is no place in a patient
NAME_SHOWN = 64
EXACT_DIGITS = 8  # of a pixel: an edge drawn through the middle of a pixel goes through it, whatever its millimetres round to
AN_RTSTRUCT = "a DICOM RTSTRUCT"


@dataclass(frozen=True, kw_only=True)
class Roi:
    """One region of interest: its label in the mask, and its contours as LPS points with the instance each was drawn on.

    `told` is its name as a sentence may have it: "" if it holds the patient's name or ID.
    """

    label: int
    name: str
    told: str
    frame: str
    segment: Segment
    code: Code | None
    contours: tuple[tuple[NDArray[np.float64], str], ...]
    points: int  # contours that are single points or open lines, which enclose nothing
    thin: int  # closed ones of fewer than three points, which enclose nothing either

    @property
    def shown(self) -> str:
        """The region as a sentence names it."""
        return f"ROI {self.label} ({self.told})" if self.told else f"ROI {self.label}"


def read_rtstruct(
    path: str | Path,
    *,
    scan: Volume | Series | str | Path,
    segments: Sequence[int | str] | None = None,
    overlap: str = "refuse",
    cut: bool = False,
) -> Mask:
    """Read the contours of a DICOM RTSTRUCT as a Mask on the scan's own grid; label n is the n-th ROI of the file.

    A voxel is in where its centre lies inside of a contour on its slice. Contours within contours are holes (even-odd), and
    keyholes are what they look like. Each contour is laid on the slice that it lies on, by its millimetres; one that is not
    planar, or that lies on no slice (to a tenth of the slices' distance and 0.1 mm), is refused with what is off. Nothing is
    interpolated between contours. Codes are those of the file; most planning systems give names only (`mask.names`).

    Args:
        path: the file.
        scan: what it was drawn on: a path (a folder may hold a whole study: the series that it names is taken), a Series or a
            Volume.
        segments: read only these ROIs, by label or by name.
        overlap: what becomes of voxels that several ROIs claim: "refuse", or "smallest": they are the smallest ROI's, so that a
            tumour in a lung stays whole.
        cut: leave out contours beyond the ends or edges of the scan, with a remark, instead of refusing them.

    Raises:
        ScanError: the file is no RTSTRUCT or is damaged; the scan cannot be read, or is another patient's.
        GeometryError: a contour does not lie on the scan, or ROIs overlap.
        OptionError: an option has a value that cannot be.
    """
    path = Path(path)
    _, content = read_object(path, what=AN_RTSTRUCT)
    if content.uid(tag.SOP_CLASS) != CLASS and content.uid(tag.MODALITY) != "RTSTRUCT":
        raise ScanError(f"{path.name} is DICOM, and no RTSTRUCT. Give the path of {AN_RTSTRUCT}.")
    try:
        wanted = _wanted(_rois(path, content), segments)
        frames, series, instances = _references(content)
    except NotDicomError as error:
        raise damaged(path, str(error)) from error
    frames = {roi.frame for roi in wanted if roi.frame} or frames  # the ROIs' own, where they name one
    frame = frames.pop() if len(frames) == 1 else ""
    slices = slices_of(scan, series_uids=series, instance_uids=instances, frame_of_reference=frame)
    if frames:
        raise GeometryError(
            f"The ROIs lie in {len(frames)} frames of reference. Name those of one with --segments LIST (segments=[...])."
        )
    patient = content.tags.get(tag.PATIENT_ID, b"").strip(b"\0 ")
    require_same_patient(slices, patient=patient, frame_of_reference=frame, name=path.name)
    mask = _mask(wanted, slices, overlap=overlap, cut=cut)
    return replace(mask, remarks=drawn_elsewhere(slices, series) + mask.remarks)


def names_of_rtstruct(path: str | Path) -> Names:
    """Return what an RTSTRUCT names as what it was drawn on."""
    _, content = read_object(path, what=AN_RTSTRUCT)
    try:
        frames, series, instances = _references(content)
    except NotDicomError as error:
        raise damaged(path, str(error)) from error
    frame = frames.pop() if len(frames) == 1 else ""
    return {"series_uids": series, "instance_uids": instances, "frame_of_reference": frame}


def _rois(path: Path, content: Item) -> list[Roi]:
    observations = {item.uid(OF_ROI): item for item in content.items(OBSERVATIONS, most=ROIS_LIMIT)}
    drawn: dict[str, Item] = {}
    for item in content.items(ROI_CONTOURS, most=ROIS_LIMIT):
        if item.uid(OF_ROI) in drawn:
            raise damaged(path, f"it has two lists of contours for ROI number {item.number(OF_ROI) or 0:.0f}")
        drawn[item.uid(OF_ROI)] = item
    found, numbers, words = [], set(), words_of(content)
    for label, item in enumerate(content.items(ROIS, most=ROIS_LIMIT), 1):
        number, how = item.uid(ROI_NUMBER), item.uid(ROI_ALGORITHM)
        if number in numbers or not number:
            raise damaged(path, "two ROIs of it have one number, or one has none")
        numbers.add(number)
        contours, points, thin = _contours(path, drawn.pop(number, None), label)
        observed = observations.get(number)
        name = item.text(ROI_NAME)[:NAME_SHOWN]
        segment = Segment(name=name, how_made=how if how in HOW_MADE else "")
        code = observed.code(ROI_CODE) if observed else None
        found.append(
            Roi(
                label=label,
                name=name,
                told=told(name, words),
                frame=item.uid(ROI_FRAME),
                segment=segment,
                code=code,
                contours=contours,
                points=points,
                thin=thin,
            )
        )
    if not found:
        raise damaged(path, "it has no ROI")
    if drawn:
        raise damaged(path, "it has contours of an ROI that it does not describe")
    return found


def _contours(path: Path, item: Item | None, label: int) -> tuple[tuple[tuple[NDArray[np.float64], str], ...], int, int]:
    """Return closed contours with the instance each was drawn on, and how many of the others there are."""
    found, open_ones, thin = [], 0, 0
    for number, contour in enumerate(item.items(CONTOURS, most=CONTOURS_LIMIT) if item else (), 1):
        if contour.uid(KIND) not in AREAS:
            open_ones += 1
            continue
        points = _points(contour.tags.get(POINTS, b""))
        if points is None or len(points) != (contour.number(POINT_COUNT) or len(points)):
            raise damaged(
                path, f"contour {number} of ROI {label} has not as many points as it says, or points that are no places"
            )
        if len(points) < 3:
            thin += 1
            continue
        image = contour.first(CONTOUR_IMAGES)
        found.append((points, image.uid(INSTANCE) if image else ""))
    return tuple(found), open_ones, thin


def _points(raw: bytes) -> NDArray[np.float64] | None:
    """Return contour data as points (n, 3), None if they are none."""
    parts = raw.strip(b"\0 ").split(b"\\")
    if len(parts) % 3 or max(map(len, parts)) > 64 or b"_" in raw:
        return None
    try:
        points = np.array(parts).astype(np.float64).reshape(-1, 3)
    except ValueError:
        return None
    return points if np.abs(points).max() < CENTRE_LIMIT_MM else None  # NaN is not below it either


def _references(content: Item) -> tuple[set[str], set[str], set[str]]:
    """Return the frames of reference, series and instances that the file names as what it was drawn on."""
    frames, series, instances = set(), set(), set()
    for frame in content.items(FRAMES, most=100):
        frames.add(frame.uid(tag.FRAME_OF_REFERENCE))
        for study in frame.items(STUDIES, most=100):
            for one in study.items(SERIES, most=1000):
                series.add(one.uid(tag.SERIES_UID))
                instances |= {image.uid(INSTANCE) for image in one.items(CONTOUR_IMAGES, most=CONTOURS_LIMIT)}
    return frames - {""}, series, instances


def _wanted(found: list[Roi], segments: Sequence[int | str] | None) -> list[Roi]:
    if segments is None:
        return found
    names = {str(roi.label): roi for roi in found} | {roi.name: roi for roi in reversed(found) if roi.name}
    if isinstance(segments, str | int):
        segments = [segments]
    for one in segments:
        if str(one) not in names:
            raise OptionError.unknown(
                "segments", str(one), [name for name, roi in names.items() if name in ("", roi.told, str(roi.label))]
            )
    return sorted({names[str(one)].label: names[str(one)] for one in segments}.values(), key=lambda roi: roi.label)


def _mask(rois: list[Roi], slices: ScanSlices, *, overlap: str, cut: bool) -> Mask:
    laid: dict[tuple[int, int], list[NDArray[np.float64]]] = {}  # of a label on a slice: outlines in its pixels
    remarks: list[str] = []
    rows, columns = slices.grid.shape[1:]
    edges = twice = 0
    seen: set[tuple[int, int, bytes]] = set()
    for roi in rois:
        spots, notes = _spots(roi, slices, cut=cut)
        remarks += notes
        for (points, _), spot in zip(roi.contours, spots, strict=True):
            if spot is None:
                continue
            apart = points - slices.positions_mm[spot]
            outline = np.stack([apart @ slices.down / slices.row_mm, apart @ slices.right / slices.column_mm], axis=1)
            if (outline < -0.5).any() or (outline > (rows - 0.5, columns - 0.5)).any():
                edges += 1
            outlines = laid.setdefault((roi.label, spot), [])
            outline = np.round(outline, EXACT_DIGITS)
            corners = np.unique(outline, axis=0)  # whichever is the first of them, whatever way round, closed or not
            if (key := (roi.label, spot, corners.tobytes())) in seen:  # even-odd would let the two undo each other
                twice += 1
                continue
            seen.add(key)
            outlines.append(outline)
    if edges and not cut:
        raise GeometryError(
            f"{edges} contours reach beyond the edges of the scan's slices. {GIVE_ITS_OWN}, "
            "or cut them there with --cut (cut=True)."
        )
    if edges:
        remarks.append(f"{edges} contours reached beyond the edges of the scan's slices and were cut there.")
    if twice:
        remarks.append(f"{twice} contours are there twice, point by point; one of each was taken.")
    remarks += _crossings(rois, laid, (rows, columns))

    def planes() -> Iterator[tuple[int, int, int, int, NDArray[np.bool_]]]:
        for (label, spot), outlines in laid.items():
            try:
                yield label, int(slices.places[spot]), 0, 0, filled(outlines, (rows, columns))
            except TooManyCrossingsError:
                raise GeometryError(
                    f"The contours of ROI {label} cross a slice more often than a drawing does. "
                    "Leave it out with --segments LIST (segments=[...])."
                ) from None

    array, _, notes_on_overlap = painted(
        planes,
        slices.grid.shape,
        most=max(roi.label for roi in rois),
        overlap=overlap,
        names={roi.label: roi.told for roi in rois},
        remedy="one at a time with --segments LIST (segments=[...])",
    )
    array = repeated(array, slices, {spot for _, spot in laid})
    there = set(labels_in(array))
    remarks += [f"No voxel is in {roi.shown}." for roi in rois if roi.label not in there]
    frame = slices.grid.frame_of_reference or next((roi.frame for roi in rois if roi.frame), None)
    return Mask(
        array=array,
        grid=replace(slices.grid, frame_of_reference=frame),
        labels={roi.label: roi.code for roi in rois if roi.code},
        segments={roi.label: roi.segment for roi in rois},
        remarks=(*remarks, *notes_on_overlap),
    )


def _crossings(rois: list[Roi], laid: dict[tuple[int, int], list[NDArray[np.float64]]], shape: tuple[int, int]) -> list[str]:
    """Say where contours of one region overlap without one lying in the other, or hold the same pixels."""
    found: dict[int, int] = {}
    for (label, _), outlines in laid.items():
        if len(outlines) > 1 and cross(outlines, shape):
            found[label] = found.get(label, 0) + 1
    return [
        f"Contours of {roi.shown} cross or cover each other on {found[roi.label]} slices; "
        "what two of them hold was left out (even-odd)."
        for roi in rois
        if roi.label in found
    ]


def _spots(roi: Roi, slices: ScanSlices, *, cut: bool) -> tuple[list[int | None], list[str]]:
    """Return the slice that each contour of a region lies on, None for one that is left out, and what is to be said.

    Raises:
        GeometryError: a contour is not planar, lies on no slice, or names another slice than it lies on.
    """
    limit = min(TOLERANCE_MM, TOLERANCE_SHARE * slices.plane_mm)
    spots: list[int | None] = []
    beyond: list[tuple[NDArray[np.float64], float]] = []
    missed: list[tuple[NDArray[np.float64], float]] = []
    for number, (points, instance) in enumerate(roi.contours, 1):
        heights = points @ slices.normal
        if np.ptp(heights) > limit:
            raise GeometryError(
                f"Contour {number} of {roi.shown} is not planar on the scan's slices: its points lie "
                f"{np.ptp(heights):.3g} mm apart across them. Export it from where it was made on the slices of this scan."
            )
        height = float(heights.mean())
        away = np.abs(slices.heights - height)
        spot = int(away.argmin())
        if away[spot] > limit:
            spots.append(None)
            is_beyond = not slices.heights.min() <= height <= slices.heights.max()
            (beyond if is_beyond else missed).append((points, float(away[spot])))
            continue
        if slices.places[spot] < 0:
            raise GeometryError(
                f"Contour {number} of {roi.shown} lies on a slice that is too near to another to be on the grid. {GIVE_ITS_OWN}."
            )
        named = slices.instances.get((instance, 0)) if instance else None
        if named is not None and abs(slices.heights[named] - height) > max(0.5, slices.plane_mm / 2):
            off_mm = abs(slices.heights[named] - height)
            raise GeometryError(
                f"Contour {number} of {roi.shown} lies {off_mm:.3g} mm from the slice that it names, so where it lies "
                f"is not known. {GIVE_ITS_OWN}, or export it again."
            )
        spots.append(spot)
    if missed or (beyond and not cut) or (beyond and len(beyond) == len(roi.contours)):
        raise _off(roi, missed + beyond, slices, is_beyond=not missed)
    notes = []
    if beyond:
        notes.append(
            f"{len(beyond)} of {len(roi.contours)} contours of {roi.shown} lay beyond the ends of the scan and were left out."
        )
    if roi.points or roi.thin:
        notes.append(f"{roi.points + roi.thin} contours of {roi.shown} are points or lines, which enclose no voxel.")
    used = np.unique([int(slices.places[spot]) for spot in spots if spot is not None and spot < slices.measured])
    if len(used) > 2 and np.diff(used).min() > 1:
        notes.append(
            f"The contours of {roi.shown} lie at least {np.diff(used).min()} slices apart; the slices between them are empty."
        )
    return spots, notes


def _off(roi: Roi, off: list[tuple[NDArray[np.float64], float]], slices: ScanSlices, *, is_beyond: bool) -> GeometryError:
    """Make the error for contours that lie on no slice."""
    far = span_mm([away for _, away in off])
    some = f"{len(off)} of {len(roi.contours)} contours of {roi.shown} lie"
    limit = min(TOLERANCE_MM, TOLERANCE_SHARE * slices.plane_mm)
    mirrored = [(points * (1, 1, -1)) @ slices.normal for points, _ in off]
    lost = all(np.abs(slices.heights - heights.mean()).min() <= limit for heights in mirrored)
    guess = "; with the sign of z turned they would lie on slices, so whatever wrote it lost it" if lost else ""
    where = (
        f"beyond the ends of the scan, {far} from its last slice"
        if is_beyond
        else f"on no slice of the scan, {far} from the nearest"
    )
    remedy = (
        f"{GIVE_ITS_OWN}, or leave such contours out with --cut (cut=True)"
        if is_beyond and len(off) < len(roi.contours)
        else GIVE_ITS_OWN
    )
    return GeometryError(f"{some} {where}{guess}. {remedy}.")
