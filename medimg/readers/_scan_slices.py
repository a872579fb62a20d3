"""The slices of a scan as places that a drawn plane can lie on: each with its true position, none invented."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from medimg.errors import ManyVolumesError, ScanError
from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_header import NotDicomError, read_header
from medimg.readers._dicom_places import nearest_slices
from medimg.values import Series, Volume

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from medimg.values import Grid, Skipped, Study

TOLERANCE_MM, TOLERANCE_SHARE = 0.1, 0.1  # of a voxel: a pixel's centre that lies nearer to the scan's is the scan's own
NOWHERE = -1  # of a measured slice that is not on the grid, because it lies too near to another


@dataclass(frozen=True, kw_only=True, eq=False)
class Plane:
    """One drawn plane: LPS place of its first pixel, unit vectors of a row (rightwards) and a column (downwards), pixel size."""

    position_mm: NDArray[np.float64]
    right: NDArray[np.float64]
    down: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]


@dataclass(frozen=True)
class Fit:
    """A plane lies on a slice of the grid: pixel (r, c) of the turned plane is pixel (r + row, c + column) of the slice."""

    index: int
    row: int
    column: int
    transpose: bool
    flips: tuple[int, ...]
    spot: int
    off_mm: float

    def turned(self, pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the plane's pixels along the scan's own rows and columns."""
        pixels = pixels.T if self.transpose else pixels
        return np.flip(pixels, self.flips) if self.flips else pixels


@dataclass(frozen=True)
class Miss:
    """A plane lies on no slice: `off_mm` away from the nearest one, and `why` in a word: slice, pixels, spacing, turned."""

    off_mm: float
    why: str


@dataclass(eq=False)
class ScanSlices:
    """Where each slice of a scan really lies, and which place of its grid it is.

    `positions_mm` has measured slices first, then the places of the grid where nothing was measured; `places` the index of each
    on the grid (NOWHERE for a measured slice that is not on it); `measured` how many are measured; `instances` leads from (SOP
    instance UID, frame from 0) to a slice's number; `repeats` says which slice each place of the grid takes its values from.
    """

    grid: Grid
    positions_mm: NDArray[np.float64]
    places: NDArray[np.int64]
    measured: int
    repeats: NDArray[np.int64]
    instances: dict[tuple[str, int], int] = field(default_factory=dict)
    is_exact: bool = True  # False for a grid alone, whose slices may have been evened out
    series: Series | None = None

    def __post_init__(self) -> None:
        steps = self.grid.affine[:3, :3]
        self.down = steps[:, 1] / np.linalg.norm(steps[:, 1])
        self.right = steps[:, 2] / np.linalg.norm(steps[:, 2])
        normal = np.cross(self.right, self.down)
        self.normal = normal / np.linalg.norm(normal)
        _, self.row_mm, self.column_mm = self.grid.spacing_mm
        self.plane_mm = float(abs(steps[:, 0] @ self.normal))
        self.heights = self.positions_mm @ self.normal
        self.turns: dict[tuple[float, ...], tuple[NDArray[np.float64], NDArray[np.int64] | None, str]] = {}

    def fit(self, plane: Plane, *, spot: int | None = None) -> Fit | Miss:
        """Find the slice that a plane lies on: every pixel's centre on a pixel's centre, to a tenth of a voxel and 0.1 mm.

        With `spot` (the number of a slice) the plane is laid on that slice, pixel on pixel, wherever it says that it lies.
        """
        matrix, whole, trouble = self._turn(plane)
        if spot is None:
            away = np.abs(self.heights - plane.position_mm @ self.normal)
            spot = int(away.argmin())
            if away[spot] > min(TOLERANCE_MM, TOLERANCE_SHARE * self.plane_mm):
                return Miss(float(away[spot]), "slice")
            apart = plane.position_mm - self.positions_mm[spot]
            start = np.array([apart @ self.down / self.row_mm, apart @ self.right / self.column_mm])
            off_mm = float(away[spot])
        else:
            start = np.zeros(2)
            off_mm = float(np.linalg.norm(plane.position_mm - self.positions_mm[spot]))
        if whole is None:
            return Miss(float("nan"), trouble)
        corners = np.array(list(product(*[(0, size - 1) for size in plane.shape])), dtype=np.float64)
        rounded = np.rint(start)
        rest = np.abs(corners @ (matrix - whole).T + start - rounded)
        limit = np.minimum(TOLERANCE_SHARE, TOLERANCE_MM / np.array([self.row_mm, self.column_mm]))
        if (rest.max(axis=0) > limit).any():
            return Miss(float((rest.max(axis=0) * (self.row_mm, self.column_mm)).max()), "pixels")
        first = (corners @ whole.T + rounded).min(axis=0).astype(int)
        transpose = bool(whole[0, 0] == 0)
        flips = tuple(axis for axis in (0, 1) if whole[axis].sum() < 0)
        return Fit(int(self.places[spot]), int(first[0]), int(first[1]), transpose, flips, spot, off_mm)

    def _turn(self, plane: Plane) -> tuple[NDArray[np.float64], NDArray[np.int64] | None, str]:
        """Return what takes (row, column) of a plane to the scan's, and the same rounded; None if it is not so simple."""
        key = (*plane.right.tolist(), *plane.down.tolist(), *plane.spacing_mm, *plane.shape)
        if key not in self.turns:
            steps = np.stack([plane.down * plane.spacing_mm[0], plane.right * plane.spacing_mm[1]], axis=1)
            matrix = np.stack([self.down @ steps / self.row_mm, self.right @ steps / self.column_mm])
            whole = np.rint(matrix).astype(np.int64)
            lifted = float((np.abs(self.normal @ steps) * (np.array(plane.shape) - 1)).sum())
            trouble = ""
            if lifted > min(TOLERANCE_MM, TOLERANCE_SHARE * self.plane_mm):
                trouble = "turned"
            elif sorted(np.abs(whole).ravel().tolist()) != [0, 0, 1, 1] or abs(round(float(np.linalg.det(whole)))) != 1:
                away = abs(abs(float(self.down @ plane.down)) - 0.5)  # half way between 0 and 1 is turned within the plane
                trouble = "turned" if away < 0.49 else "spacing"
            self.turns[key] = matrix, None if trouble else whole, trouble
        return self.turns[key]

    @property
    def patient(self) -> bytes:
        """The patient's ID in the first file of a DICOM series, b"" if nothing says it; it is only compared."""
        if self.series is None or self.series.reader != "dicom" or not self.series.files:
            return b""
        try:
            return read_header(self.series.files[0]).tags.get(tag.PATIENT_ID, b"").strip(b"\0 ")
        except (NotDicomError, OSError):
            return b""


def slices_of_grid(grid: Grid, *, is_exact: bool = True, series: Series | None = None) -> ScanSlices:
    """Return the slices of a grid alone."""
    places = np.arange(grid.shape[0])
    positions = grid.to_mm(np.stack([places, 0 * places, 0 * places], axis=1))
    return ScanSlices(grid, positions, places, len(places), places, is_exact=is_exact, series=series)


def slices_of_series(series: Series) -> ScanSlices:
    """Return the slices of a series that can be read, each where it was measured.

    Raises:
        ScanError: the series was refused.
    """
    if series.grid is None or not series.is_readable:
        raise ScanError(f"{series.name} was refused as a scan, so nothing can lie on it. medimg inspect says why.")
    if not series.slices:
        return slices_of_grid(series.grid, series=series)
    places = np.full(len(series.slices), NOWHERE)
    empty = []
    for place, number in enumerate(series.slice_of):
        if number is None:
            empty.append(place)
        else:
            places[number] = place
    measured = np.array([item.position_mm for item in series.slices])
    unmeasured = series.grid.to_mm(np.array([(place, 0, 0) for place in empty]).reshape(-1, 3))
    return ScanSlices(
        series.grid,
        np.concatenate([measured, unmeasured]),
        np.concatenate([places, np.array(empty, dtype=places.dtype)]),
        len(measured),
        nearest_slices(series.grid, measured) if len(measured) > 1 else np.zeros(series.grid.shape[0], np.int64),
        {(item.instance_uid, item.frame): number for number, item in enumerate(series.slices) if item.instance_uid},
        series=series,
    )


def slices_of(
    scan: Volume | Series | str | Path,
    *,
    series_uids: Collection[str] = (),
    instance_uids: Collection[str] = (),
    frame_of_reference: str = "",
) -> ScanSlices:
    """Return the slices of the scan that an object was drawn on; in a folder it is the series that the object names.

    Raises:
        ScanError: there is no scan.
        ManyVolumesError: there are several, and the object does not tell which is meant.
    """
    if isinstance(scan, Volume):
        return slices_of_grid(scan.grid, is_exact=False)
    if isinstance(scan, Series):
        return slices_of_series(scan)
    from medimg.readers._front import scan as look

    studies, skipped = look(scan)
    names: Names = {"series_uids": series_uids, "instance_uids": instance_uids, "frame_of_reference": frame_of_reference}
    return slices_of_series(chosen(studies, Path(scan).name, skipped, **names))


class Names(TypedDict):
    """What an object names as what it was drawn on."""

    series_uids: Collection[str]
    instance_uids: Collection[str]
    frame_of_reference: str


def chosen(
    studies: Sequence[Study],
    shown: str,
    skipped: tuple[Skipped, ...],
    *,
    series_uids: Collection[str] = (),
    instance_uids: Collection[str] = (),
    frame_of_reference: str = "",
) -> Series:
    """Return the one series of `studies` that an object was drawn on: by its UIDs, its frame of reference, or alone."""
    from medimg.readers._front import nothing_there

    everything = [series for study in studies for series in study.series]
    readable = [series for series in everything if series.is_readable]
    shown = shown or "this folder"
    if not readable:
        raise nothing_there(shown, everything, skipped)
    named = [series for series in readable if series.series_uid and series.series_uid in series_uids]
    if len(named) > 1 and instance_uids:  # one UID, several volumes: the one whose slices are named
        shares = [sum(item.instance_uid in instance_uids for item in series.slices) / len(series.slices) for series in named]
        best = max(shares)
        named = [series for series, share in zip(named, shares, strict=True) if share == best]
    there = [
        series
        for series in readable
        if frame_of_reference and series.grid is not None and series.grid.frame_of_reference == frame_of_reference
    ]
    left = named or there or readable
    if len(left) > 1:
        choices = "; ".join(series.describe() for series in left)
        raise ManyVolumesError(f"{shown} holds {len(left)} volumes that this could lie on. Give one of them as scan=: {choices}.")
    return left[0]
