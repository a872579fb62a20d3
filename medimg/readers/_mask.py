"""Read anybody's mask, whatever its format, and lay it on a scan where it lies on it exactly."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import GeometryError, ManyVolumesError, OptionError, ScanError
from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_header import NotDicomError, claims, read_header
from medimg.readers._front import load_series, nothing_there
from medimg.readers._front import scan as look
from medimg.readers._misfit import TURNS, require_same_patient
from medimg.readers._rtstruct import names_of_rtstruct, read_rtstruct
from medimg.readers._scan_slices import TOLERANCE_MM, TOLERANCE_SHARE, chosen, slices_of_series
from medimg.readers._seg import names_of_seg, read_seg, require_choices
from medimg.readers._walk import find_files, read_head
from medimg.values import Code, Grid, Mask, Segment, Series, Volume
from medimg.values.mask import labels_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medimg.values import Skipped, Study

SEG, RTSTRUCT = "SEG", "RTSTRUCT"
LABEL_LIMIT = 65535
A_MASK = "Give a DICOM SEG or RTSTRUCT, or labels in NIfTI, NRRD or MHA"
FILE_SAYS = "The mask's file: "
HEADER_READ = 1 << 20  # bytes of an NRRD's header
SLICER_KEY = re.compile(r"Segment(\d+)_(Name|LabelValue|Layer|TerminologyEntry|ID):=(.*)")


def read_mask(
    path: str | Path,
    *,
    scan: Volume | Series | str | Path | None = None,
    segments: Sequence[int | str] | None = None,
    threshold: float = 0.5,
    overlap: str = "refuse",
    place_by: str = "position",
    cut: bool = False,
) -> Mask:
    """Read a mask: a DICOM SEG (see `read_seg`), an RTSTRUCT (see `read_rtstruct`), or labels in NIfTI, NRRD or MHA.

    A DICOM object's file is told by what it is, never by its name; in a folder it is the only one there. With `scan` the mask
    lies on the scan's own grid: labels are put there without interpolation, where every voxel's centre lies on the centre of one
    of the scan's to a tenth of a voxel and 0.1 mm (turned, mirrored or cropped grids do), and are refused elsewhere. Names and
    codes that 3D Slicer writes into its `.seg.nrrd` are read.

    Args:
        path: a file, or a folder that holds one.
        scan: what it was drawn on: a path, a Series or a Volume. An RTSTRUCT needs it.
        segments: read only these labels, by number or name.
        threshold: of a fractional DICOM SEG; see `read_seg`.
        place_by: of a DICOM SEG; see `read_seg`.
        overlap: for DICOM objects: "refuse", or "smallest".
        cut: leave out what lies beyond the scan, with a remark, instead of refusing it.

    Raises:
        ScanError: there is no mask, or it is no labels; the scan cannot be read, or is another patient's.
        GeometryError: the mask does not lie on the scan, and by how many millimetres.
        OptionError: an option has a value that cannot be.
    """
    require_choices(overlap=overlap, place_by=place_by, threshold=threshold)
    path = the_object_in(Path(path))
    kind = kind_of(path)
    if kind == SEG:
        return read_seg(path, scan=scan, segments=segments, threshold=threshold, overlap=overlap, place_by=place_by, cut=cut)
    if kind == RTSTRUCT:
        if scan is None:
            raise OptionError("scan", None, "the scan that the contours were drawn on: an RTSTRUCT has no grid of its own")
        return read_rtstruct(path, scan=scan, segments=segments, overlap=overlap, cut=cut)
    mask = _only(_labels(path), segments)
    if scan is None:
        return mask
    if not isinstance(scan, Volume | Series):
        studies, skipped = look(scan)
        scan = source_series(path, studies, shown=Path(scan).name, skipped=skipped)
    frame = mask.grid.frame_of_reference or ""
    if isinstance(scan, Series):
        slices = slices_of_series(scan)
        require_same_patient(slices, patient=b"", frame_of_reference=frame, name=path.name)
        return on_grid(mask, slices.grid, cut=cut)
    return on_grid(mask, scan.grid, cut=cut)


def kind_of(path: Path) -> str:
    """Return the DICOM modality of a file ("SEG", "RTSTRUCT", "CT" ...), "" if it is no DICOM or a folder."""
    try:
        if path.is_dir() or not claims(read_head(str(path))):
            return ""
        return read_header(path).text(tag.MODALITY)
    except (NotDicomError, OSError):
        return ""


def the_object_in(path: Path) -> Path:
    """Return the one SEG or RTSTRUCT of a folder, else the path as it is."""
    if not path.is_dir():
        return path
    objects = [Path(name) for name in find_files([path]).names if kind_of(Path(name)) in (SEG, RTSTRUCT)]
    if len(objects) > 1:
        raise ScanError(f"{path.name} holds {len(objects)} segmentations. Give the file of one of them.")
    return objects[0] if objects else path


def _labels(path: Path) -> Mask:
    """Read labels from a format of volumes; what its file leaves in doubt is in `remarks`."""
    volume, series = load_series(_the_volume_in(path))
    array = volume.array
    if volume.modality:
        raise ScanError(f"{path.name} is a scan ({volume.modality}), and no mask. Give a mask first, then the scan.")
    if any(hazard.kind == "not-a-number" for hazard in series.hazards):  # a scan's reader gives them a value, a mask has none
        raise ScanError(
            f"{path.name} holds voxels that are no number, so whether they are outlined is not known. "
            "Set those to 0 that are not."
        )
    low, high = float(array.min()), float(array.max())
    if array.dtype != np.int16 and not np.array_equal(array, np.rint(array)):
        raise ScanError(
            f"{path.name} holds values of {low:.3g} to {high:.3g} that are no whole numbers, so it is no mask of labels. "
            "If they are probabilities, set those above your threshold to 1 and all others to 0."
        )
    if low < 0 or high > LABEL_LIMIT:
        raise ScanError(f"{path.name} holds values of {low:.6g} to {high:.6g}, and labels are 0 to {LABEL_LIMIT}. Give a mask.")
    segments, codes = _slicer_names(path)
    array = array.astype(np.uint16 if high > 255 else np.uint8)
    there = labels_in(array)
    return Mask(
        array=array,
        grid=volume.grid,
        labels={label: code for label, code in codes.items() if label in there},
        segments={label: segment for label, segment in segments.items() if label in there},
        remarks=tuple(f"{FILE_SAYS}{hazard.sentence}" for hazard in series.hazards),
    )


def _the_volume_in(path: Path) -> Series:
    """Return the one volume of a file or folder.

    Raises:
        ScanError: there is none.
        ManyVolumesError: there are several; a mask has one label a voxel.
    """
    studies, skipped = look(path)
    everything = [series for study in studies for series in study.series]
    readable = [series for series in everything if series.is_readable]
    if len(readable) > 1:
        raise ManyVolumesError(
            f"{path.name} holds {len(readable)} volumes, and a mask is one. "
            "Give the file of one of them, or save them as one volume with a label for each."
        )
    if not readable:
        raise nothing_there(path.name, everything, skipped, wanted="mask", remedy=A_MASK)
    return readable[0]


def _slicer_names(path: Path) -> tuple[dict[int, Segment], dict[int, Code]]:
    """Return what 3D Slicer wrote of its segments into the header of an NRRD, by label."""
    if path.is_dir():
        return {}, {}
    with path.open("rb") as file:
        head = file.read(HEADER_READ)
    if not head.startswith(b"NRRD"):
        return {}, {}
    told: dict[str, dict[str, str]] = {}
    for line in head.split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace").splitlines():
        match = SLICER_KEY.fullmatch(line.strip())
        if match:
            told.setdefault(match[1], {})[match[2]] = match[3].strip()
    segments: dict[int, Segment] = {}
    codes: dict[int, Code] = {}
    for number, facts in told.items():
        value = facts.get("LabelValue", str(int(number) + 1))
        if not value.isdigit() or not 0 < int(value) <= LABEL_LIMIT:
            continue
        category, code = _terminology(facts.get("TerminologyEntry", ""))
        segments[int(value)] = Segment(name=facts.get("Name", "")[:64], category=category)
        if code:
            codes[int(value)] = code
    return segments, codes


def _terminology(entry: str) -> tuple[Code | None, Code | None]:
    """Return category and type of Slicer's terminology entry: context~category~type~..., each code SCHEME^VALUE^MEANING."""
    codes: list[Code | None] = []
    for part in [*entry.split("~"), "", "", ""][1:3]:
        try:
            codes.append(Code(*part.split("^")[:3]))
        except (TypeError, ValueError):
            codes.append(None)
    return codes[0], codes[1]


def _only(mask: Mask, wanted: Sequence[int | str] | None) -> Mask:
    if wanted is None:
        return mask
    names = {str(label): label for label in mask.present}
    names |= {segment.name: label for label, segment in mask.segments.items() if segment.name}
    if isinstance(wanted, str | int):
        wanted = [wanted]
    for one in wanted:
        if str(one) not in names:
            raise OptionError.unknown("segments", str(one), names)
    kept = {names[str(one)] for one in wanted}
    return replace(
        mask,
        array=np.where(np.isin(mask.array, list(kept)), mask.array, 0).astype(mask.array.dtype),
        labels={label: code for label, code in mask.labels.items() if label in kept},
        segments={label: segment for label, segment in mask.segments.items() if label in kept},
    )


def source_series(mask: str | Path, studies: Sequence[Study], *, shown: str = "", skipped: tuple[Skipped, ...] = ()) -> Series:
    """Return the series that a mask was drawn on: the one that it names, else the one whose voxels its own coincide with.

    Raises:
        ScanError: none can be read.
        ManyVolumesError: several come into question.
    """
    path = the_object_in(Path(mask))
    kind = kind_of(path)
    if kind in (SEG, RTSTRUCT):
        return chosen(studies, shown, skipped, **(names_of_seg(path) if kind == SEG else names_of_rtstruct(path)))
    grids = [series.grid for study in look(path)[0] for series in study.series if series.is_readable]
    fitting = [
        series
        for study in studies
        for series in study.series
        if series.is_readable
        and series.grid is not None
        and any(grid and _whole_step(grid, series.grid) is not None for grid in grids)
    ]
    return fitting[0] if len(fitting) == 1 else chosen(studies, shown, skipped)


def on_grid(mask: Mask, grid: Grid, *, cut: bool = False) -> Mask:
    """Return a mask on another grid of the same voxels: turned, mirrored, cropped or filled up with 0, never interpolated.

    Raises:
        GeometryError: the centres of its voxels are not centres of the grid's voxels to a tenth of a voxel and 0.1 mm, or
            labelled ones lie beyond the grid (with `cut` these are left out, with a remark).
    """
    frames = {mask.grid.frame_of_reference, grid.frame_of_reference} - {None}
    if len(frames) > 1:
        raise GeometryError(
            "The mask lies in another frame of reference than the scan. Give the scan it was drawn on, or register the two first."
        )
    whole = _whole_step(mask.grid, grid)
    if whole is None:
        raise _elsewhere(mask, grid)
    if np.array_equal(whole, np.eye(4)) and mask.shape == grid.shape:
        return replace(mask, grid=grid)
    axes = [int(np.abs(whole[axis, :3]).argmax()) for axis in range(3)]  # of the mask, along each of the grid's
    array = np.transpose(mask.array, axes)
    flips = tuple(axis for axis in range(3) if whole[axis, axes[axis]] < 0)
    array = np.flip(array, flips)
    corners = np.array(list(product(*[(0, size - 1) for size in mask.shape])))
    start = (corners @ whole[:3, :3].T + whole[:3, 3]).min(axis=0).astype(int)
    low, high = np.maximum(start, 0), np.minimum(start + array.shape, grid.shape)
    result = np.zeros(grid.shape, dtype=array.dtype)
    if (high > low).all():
        part = array[tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))]
        result[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = part
    lost = int(np.count_nonzero(array)) - int(np.count_nonzero(result))
    remarks = mask.remarks
    if lost and (not cut or not result.any()):
        raise GeometryError(
            f"{lost} of {np.count_nonzero(array)} labelled voxels of the mask lie beyond the scan. Give the scan it was drawn on"
            f"{', or leave them out with --cut (cut=True)' if result.any() else ''}."
        )
    if lost:
        remarks += (f"{lost} labelled voxels lay beyond the scan and were left out.",)
    return replace(mask, array=result, grid=grid, remarks=remarks)


def _whole_step(source: Grid, target: Grid) -> np.ndarray | None:
    """Return what takes an index of `source` to one of `target`, in whole numbers; None if their voxels do not coincide."""
    step = np.linalg.solve(target.affine, source.affine)
    whole = np.rint(step)
    turn = np.abs(whole[:3, :3])
    if not ((turn.sum(axis=0) == 1).all() and (turn.sum(axis=1) == 1).all()):
        return None
    off = _off(step - whole, source)
    limit = np.minimum(TOLERANCE_SHARE, TOLERANCE_MM / np.array(target.spacing_mm))
    return whole.astype(np.int64) if (off <= limit).all() else None


def _off(step: np.ndarray, grid: Grid) -> np.ndarray:
    corners = np.array(list(product(*[(0, size - 1) for size in grid.shape])), dtype=np.float64)
    off: np.ndarray = np.abs(corners @ step[:3, :3].T + step[:3, 3]).max(axis=0)
    return off


def _elsewhere(drawn: Mask, scan: Grid) -> GeometryError:
    """Say how a mask's grid differs from the scan's, what its file leaves in doubt, and what would bring it there."""
    mask, guess = drawn.grid, ""
    for signs, words in TURNS:
        turned = Grid(mask.shape, np.diag([*signs, 1.0]) @ mask.affine)
        if not guess and _whole_step(turned, scan) is not None and scan.contains(turned.to_mm(np.array(mask.shape) // 2)):
            guess = f" ({words} it would lie on it: whatever wrote it mixed up the axes of the patient)"
    if mask.shape == scan.shape:
        corners = np.array(list(product(*[(0, size - 1) for size in scan.shape])))
        off_mm = float(np.linalg.norm(mask.to_mm(corners) - scan.to_mm(corners), axis=1).max())
        where = f"its corners are up to {off_mm:.3g} mm off the scan's"
    else:
        where = f"it is {mask.describe()}, the scan {scan.describe()}"
    doubts = [remark.removeprefix(FILE_SAYS).rstrip(".") for remark in drawn.remarks if remark.startswith(FILE_SAYS)]
    guess += f" (its file: {' '.join(doubts)})" if doubts else ""
    return GeometryError(
        f"The mask lies on another grid than the scan: {where}{guess}. Give the scan it was drawn on, or resample the mask "
        "yourself and look at it: medimg.resample(mask, like=scan.grid)."
    )
