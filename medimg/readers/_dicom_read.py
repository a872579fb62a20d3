"""Read the voxels of a DICOM series: planes straight into the volume, two threads, scaled slice by slice."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.errors import ScanError
from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_frames import code_string, frames_of
from medimg.readers._dicom_groups import unit_of
from medimg.readers._dicom_header import NotDicomError, read_header
from medimg.readers._dicom_places import nearest_slices
from medimg.readers._dicom_raw import UndecodableError, stored_values
from medimg.values import Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.readers._dicom_frames import Frame
    from medimg.values import Series

THREADS = 2  # more gain nothing: reading is bound by memory, and the decoders release the GIL
INT16 = (-32768, 32767)


class DamagedFramesError(Exception):
    """Slices of a series that cannot be decoded: their numbers, and words on each."""

    def __init__(self, damaged: dict[int, str]) -> None:
        super().__init__(f"{len(damaged)} slices cannot be decoded")
        self.damaged = damaged


class _NeedsFloatError(Exception):
    """A value does not fit into 16 bits."""


def read_volume(series: Series) -> Volume:
    """Read a series on its own grid.

    Raises:
        ScanError: a file is gone or is no longer what it was.
        DamagedFramesError: slices cannot be decoded.
    """
    frames = _frames(series)
    positions = np.array([item.position_mm for item in series.slices])
    source = nearest_slices(series.grid, positions) if len(frames) > 1 else np.zeros(series.grid.shape[0], np.int64)  # type: ignore[union-attr, arg-type]
    whole = all(frame.slope == int(frame.slope) and frame.intercept == int(frame.intercept) for frame in frames)
    integers = whole and all(_integers(frame) for frame in frames)
    try:
        array = _fill(series, frames, source, np.int16 if integers else np.float32)
    except _NeedsFloatError:
        array = _fill(series, frames, source, np.float32)
    first = frames[0]
    assert series.grid is not None  # only series with a place are read
    return Volume(
        array=array,
        grid=series.grid,
        modality=series.modality,
        unit=_unit(frames),
        inverted=first.text(tag.PHOTOMETRIC) == "MONOCHROME1",
        history=(f"read(dicom, {series.name})",),
    )


def _frames(series: Series) -> list[Frame]:
    """Read the headers again: the scan keeps none, and a file may have changed since."""
    by_file: dict[str, dict[int, Frame]] = {}
    for file in series.files:
        try:
            frames = frames_of(read_header(file))
        except (NotDicomError, OSError):
            frames = []
        by_file[str(file)] = {frame.index: frame for frame in frames} if isinstance(frames, list) else {}
    found: list[Frame] = []
    for item in series.slices:
        frame = by_file[str(item.file)].get(item.frame)
        shape = series.grid.shape[1:] if series.grid else ()
        if (
            frame is None
            or frame.trouble
            or (frame.rows, frame.columns) != shape
            or item.position_mm != (frame.position or (0.0, 0.0, 0.0))
        ):
            raise ScanError(f"{item.file.name} changed since it was looked at. Scan the folder again when nothing writes to it.")
        found.append(frame)
    return found


def _integers(frame: Frame) -> bool:
    return frame.header.pixel_tag == tag.PIXELS


def _unit(frames: list[Frame]) -> str:
    if frames[0].has_lut:
        from medimg.readers._dicom_lut import lut_unit

        units = {lut_unit(frame) for frame in frames}
        return code_string(units.pop()) if len(units) == 1 else ""
    if frames[0].is_mapped:
        return unit_of(frames[0])  # read as a unit of UCUM
    kinds = {frame.text(tag.UNITS) if frames[0].modality == "PT" else unit_of(frame) for frame in frames}
    kind = kinds.pop() if len(kinds) == 1 else ""
    return "" if kind == "US" else code_string(kind)


def _fill(series: Series, frames: list[Frame], source: NDArray[np.int64], kind: type[np.generic]) -> NDArray[Any]:
    """Read every slice into its first place, then copy it to the other places it is nearest to."""
    assert series.grid is not None  # only series with a place are read
    array = np.empty(series.grid.shape, kind)
    places: dict[int, list[int]] = {}
    for place, number in enumerate(source.tolist()):
        places.setdefault(number, []).append(place)
    damaged: dict[int, str] = {}

    def load(number: int) -> None:
        first, *others = places[number]
        try:
            _read_plane(frames[number], array[first])
        except UndecodableError as error:
            damaged[number] = str(error)
            return
        for place in others:
            array[place] = array[first]

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(load, places))
    if damaged:
        raise DamagedFramesError(damaged)
    return array


def _read_plane(frame: Frame, plane: NDArray[Any]) -> None:
    """Put the values of one frame into `plane` (int16 or float32)."""
    if plane.dtype == np.int16 and frame.slope == 1 and _read_straight(frame, plane):
        return
    values = stored_values(frame.header, frame.index)
    if frame.has_lut:
        from medimg.readers._dicom_lut import through_lut

        values = through_lut(frame, values)
    elif plane.dtype == np.int16:
        values = values.astype(np.int64) * int(frame.slope) + int(frame.intercept)
    else:
        values = values.astype(np.float64) * frame.slope + frame.intercept
        if not np.isfinite(values).all():
            raise UndecodableError("holds pixels that are no numbers")
    if plane.dtype == np.int16 and (values.min() < INT16[0] or values.max() > INT16[1]):
        raise _NeedsFloatError
    plane[...] = values


def _read_straight(frame: Frame, plane: NDArray[Any]) -> bool:
    """Read plain 16-bit pixels straight into the plane and add the intercept in place; False if the frame is not so plain."""
    header, intercept = frame.header, int(frame.intercept)
    stored = header.integer(tag.BITS_STORED) or 0
    plain = (
        header.syntax in (tag.EXPLICIT_LITTLE, tag.IMPLICIT_LITTLE)
        and header.integer(tag.BITS_ALLOCATED) == 16
        and not frame.has_lut
        and np.little_endian
        and (stored == 16 or tag.PADDING not in header.tags)
        and abs(intercept) < INT16[1]
    )
    if not plain:
        return False
    handle = os.open(header.path, os.O_RDONLY)
    try:
        start = (header.pixel_offset or 0) + frame.index * plane.nbytes
        got = os.preadv(handle, [plane.view(np.uint8).data], start)
    finally:
        os.close(handle)
    if got != plane.nbytes:
        raise UndecodableError("is cut short in its pixels")
    signed = header.integer(tag.SIGNED) == 1
    words = plane if signed else plane.view(np.uint16)
    if stored < 16:
        if signed:
            np.left_shift(words, 16 - stored, out=words)
            np.right_shift(words, 16 - stored, out=words)
        else:
            np.bitwise_and(words, np.uint16((1 << stored) - 1), out=words)
    low, high = (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if signed else (0, (1 << stored) - 1)
    if low + intercept < INT16[0] or high + intercept > INT16[1]:  # the type's bounds do not settle it: look at the values
        low, high = int(words.min()), int(words.max())
        if low + intercept < INT16[0] or high + intercept > INT16[1]:
            raise _NeedsFloatError
    if intercept:
        np.add(plane, np.int16(intercept), out=plane)  # wraps as the sum does, which fits
    return True
