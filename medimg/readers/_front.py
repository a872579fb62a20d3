"""The front of the room: folders to studies, series to volumes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools import registry
from medimg._tools.identity import short_name
from medimg.errors import ManyVolumesError, ScanError
from medimg.readers._archives import ZIP, unpacked
from medimg.readers._walk import find_files, inflated, is_packed, read_head
from medimg.values import Hazard, Series, Skipped, Study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medimg.readers._protocol import Reader
    from medimg.values import Volume

ROOM = "medimg.readers"
PACKED_FORMATS = frozenset({"nifti"})  # read packed as they are
NAMES_SHOWN = 5  # of what was skipped, in an error
KNOWN_STARTS = (
    (b"\x1f\x8b", "a gzip file that is damaged"),
    (b"\xff\xd8\xff", "a JPEG picture, which has no place in a patient"),
    (b"\x89PNG", "a PNG picture, which has no place in a patient"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file"),
    (b"Rar!", "a rar archive; unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"<?xml", "an XML text"),
)


def scan(*paths: str | Path) -> tuple[tuple[Study, ...], tuple[Skipped, ...]]:
    """Say what lies in files and folders: studies with their series, and what was skipped and why. No voxels are read.

    Folders are searched to the bottom, links inside them are not followed. Every series has a verdict and its hazards
    (`Series.hazards`); a refused one is listed like the others.

    Raises:
        ScanError: a path does not exist or cannot be opened.
    """
    found = find_files(paths)
    readers = {name: registry.load(ROOM, name, option="reader") for name in registry.names(ROOM)}
    skipped = list(found.skipped)
    claimed: dict[str, list[Path]] = {name: [] for name in readers}
    series: list[Series] = []

    def owner_of(head: bytes) -> str | None:
        return next((name for name, reader in readers.items() if head and reader.claims(head)), None)

    def sniffed(own: str) -> Iterator[Path]:
        """Yield the files of one format as they are looked at, and keep the others' for later: a file of it is opened once."""
        waiting = deque(found.names.items())
        while waiting:
            path, shown = waiting.popleft()
            try:
                head = read_head(path)
                owner = owner_of(head)
                if head[:4] == ZIP or (owner and is_packed(path) and owner not in PACKED_FORMATS):
                    inside = unpacked(path, shown, is_wanted=lambda first: owner_of(inflated(first)) is not None)
                    skipped.extend(item for item in inside if isinstance(item, Skipped))
                    members = [item for item in inside if not isinstance(item, Skipped)]
                    found.names.update(members)
                    waiting.extendleft(reversed(members))
                    continue
            except OSError as error:
                skipped.append(Skipped(what=shown, reason=f"cannot be opened: {error.strerror}"))
                continue
            if owner == own:
                yield Path(path)
            elif owner:
                claimed[owner].append(Path(path))
            else:
                skipped.append(Skipped(what=shown, reason=_not_an_image(head)))

    for number, (name, reader) in enumerate(readers.items()):
        for item in reader.scan(claimed[name] if number else sniffed(name)):
            if isinstance(item, Skipped):
                skipped.append(replace(item, what=found.names.get(item.what, item.what)))
            else:
                series.append(_with_shown_names(item, found.names))
    series = _distinct(series)
    used = {found.names.get(str(file)) for item in series for file in item.files}  # a detached data file is no format's own
    unused = (item for item in skipped if item.what not in used)
    return _studies(series), tuple(sorted(unused, key=lambda item: item.what))


def load_series(series: Series, *, modality: str = "") -> tuple[Volume, Series]:
    """Read a series, and say it as it was read.

    The series that comes back is the one given, unless files of it turned out to be undecodable only now: then its slices, its
    grid and its hazards are those of what could be read. Write results against this one. `modality` is what the caller knows
    where the file says nothing (NIfTI, NRRD, MHA); a file's own word is never overruled.

    Raises:
        ScanError: the series was refused, or nothing of it can be read.
    """
    if not series.is_readable:
        raise ScanError(f"{series.name} cannot be read: {refusal(series)}. Give a series with another verdict.")
    reader: Reader = registry.load(ROOM, series.reader, option="reader")
    volume, seen = reader.read(series)
    return volume.of_modality(modality), seen


def read_series(series: Series, *, modality: str = "") -> Volume:
    """Read the voxels of a series that `scan` described; its grid is the series' own. `modality` as for `load_series`.

    Raises:
        ScanError: the series was refused, a file changed or cannot be decoded (`load_series` reads without it).
    """
    volume, seen = load_series(series, modality=modality)
    if seen.grid is not series.grid or seen.slices != series.slices:
        news = next((hazard.sentence for hazard in seen.hazards if hazard not in series.hazards), "files cannot be decoded")
        raise ScanError(
            f"{series.name} is not as its headers say: {news}. Read it with medimg.readers.load_series, which leaves them out."
        )
    return volume


def read(path: str | Path, *, series: str | None = None) -> Volume:
    """Read the one volume that lies in a file or folder.

    `series` is the short name of one of several (`scan` and `medimg inspect` show them).

    Raises:
        ManyVolumesError: there are several and `series` does not name one; the message names the choices.
        ScanError: there is none.
    """
    studies, skipped = scan(path)
    everything = [item for study in studies for item in study.series]
    chosen = (
        [item for item in everything if item.is_readable]
        if series is None
        else [item for item in everything if item.name == series]
    )
    if len(chosen) == 1:
        return load_series(chosen[0])[0]
    shown = Path(path).name or "this folder"
    if len(chosen) > 1:
        choices = "; ".join(item.describe() for item in chosen)
        raise ManyVolumesError(f"{shown} holds {len(chosen)} volumes. Name one with series=: {choices}.")
    if series is not None:
        raise ScanError(
            f"{shown} holds no series {series}. Name one of: {', '.join(item.name for item in everything) or 'none'}."
        )
    raise nothing_there(shown, everything, skipped)


def read_all(path: str | Path) -> tuple[Volume, ...]:
    """Read every volume that lies in a file or folder, in the order of `scan`; what was refused or cannot be decoded is left out.

    Raises:
        ScanError: there is none.
    """
    studies, skipped = scan(path)
    everything = [item for study in studies for item in study.series]
    volumes, failed = [], []
    for item in everything:
        try:
            volumes += [load_series(item)[0]] if item.is_readable else []
        except ScanError as error:
            failed.append(error)
    if not volumes:
        raise failed[0] if failed else nothing_there(Path(path).name or "this folder", everything, skipped)
    return tuple(volumes)


def nothing_there(
    shown: str,
    series: list[Series],
    skipped: tuple[Skipped, ...],
    *,
    wanted: str = "scan",
    remedy: str = "Give a folder with a scan",
) -> ScanError:
    """Make the error for a place without a readable volume: what is there instead."""
    reasons = [f"{item.name}: {refusal(item)}" for item in series] + [f"{item.what}: {item.reason}" for item in skipped]
    if not reasons:
        return ScanError(f"{shown} holds no files. {remedy}.")
    more = f"; and {len(reasons) - NAMES_SHOWN} more" if len(reasons) > NAMES_SHOWN else ""
    return ScanError(f"{shown} holds no {wanted} that can be read ({'; '.join(reasons[:NAMES_SHOWN])}{more}). {remedy}.")


def refusal(series: Series) -> str:
    """Return why a series was refused, in its own words."""
    worst = [hazard.sentence for hazard in series.hazards if hazard.verdict is series.verdict]
    return (worst[0] if worst else "it has no volume").rstrip(".")


def _distinct(series: list[Series]) -> list[Series]:
    """Give volumes that would have one name (of copies with other pixels, of one UID in two studies) names of their own."""
    counts: dict[str, int] = {}
    distinct = []
    for item in series:
        count = counts[item.name] = counts.get(item.name, 0) + 1
        distinct.append(item if count == 1 else replace(item, name=short_name("series", item.name, count)))
    return distinct


def _with_shown_names(series: Series, names: dict[str, str]) -> Series:
    if not any(hazard.files for hazard in series.hazards):
        return series
    hazards = tuple(
        Hazard(hazard.kind, hazard.verdict, hazard.sentence, tuple(names.get(file, file) for file in hazard.files))
        for hazard in series.hazards
    )
    return replace(series, hazards=hazards)


def _studies(series: list[Series]) -> tuple[Study, ...]:
    """Put series into studies by study UID; a series without one is a study of its own."""
    groups: dict[str, list[Series]] = {}
    for item in series:
        own = item.study_uid if item.series_uid or not item.files else f"{item.study_uid} {item.files[0]}"
        groups.setdefault(own if item.study_uid else f"series {item.name}", []).append(item)
    return tuple(
        Study(name=short_name("study", members[0].study_uid or uid), series=tuple(members), study_uid=members[0].study_uid)
        for uid, members in groups.items()
    )


def _not_an_image(head: bytes) -> str:
    if not head:
        return "an empty file"
    return next((words for start, words in KNOWN_STARTS if head.startswith(start)), "not an image of a format that is read here")
