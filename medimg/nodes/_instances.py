"""Which DICOM instances lie in the given folders and files, from their headers alone."""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from medimg._tools.text import printable
from medimg.errors import OptionError, ScanError
from medimg.readers import find_files
from medimg.values import Skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

UID = re.compile(r"[0-9.]{1,64}")  # PS3.5 section 9.1; leading zeros occur and do no harm
DEFLATED = "1.2.840.10008.1.2.1.99"
DIRECTORY = "1.2.840.10008.1.3.10"  # a DICOMDIR
LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
OTHER_FORM = "_binary.dcm"  # seg_binary.dcm, sr_binary.dcm: the same for those who take no label maps; lies beside the first form
HEAD_LIMIT = 1 << 20  # of a deflated data set that is inflated for its identifiers; they stand at its very beginning
PIECE = 1 << 20
WANTED = (0x00080016, 0x00080018, 0x0020000D, 0x0020000E)
PATIENT_ID = 0x00100020


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One DICOM file that can be sent: who it is, and where its data set begins.

    `state` is (size, time of change) when it was looked at: a file that was changed since is not what was looked at.
    """

    file: Path
    name: str
    class_uid: str
    instance_uid: str
    study_uid: str
    series_uid: str
    syntax: str
    offset: int
    state: tuple[int, int]
    patient_id: str = field(default="", repr=False)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.state[0]

    def is_unchanged(self) -> bool:
        """Say whether the file still is what it was when it was looked at."""
        try:
            return state_of(self.file) == self.state
        except OSError:
            return False


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A DICOM file that cannot be sent: it is not one clear instance."""

    file: Path
    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What was found: instances to send, what takes the place of which if that is refused, and what is not sent."""

    instances: tuple[Instance, ...]
    instead_of: dict[str, Instance]
    damaged: tuple[Damaged, ...]
    skipped: tuple[Skipped, ...]


def gather(paths: Sequence[str | Path]) -> Gathered:
    """Find the instances below `paths`, each once.

    The binary form of a label map, and of what refers to it, is held back: it is only sent where the label map is refused.

    Raises:
        ScanError: there is none, or a path does not exist.
        OptionError: no path was given.
    """
    if not paths:
        raise OptionError("path", "empty", "a folder or a file")
    found = find_files(paths)
    known: dict[str, Instance] = {}
    skipped = list(found.skipped)
    damaged: list[Damaged] = []
    for path, name in found.names.items():
        one = look(Path(path), name)
        if isinstance(one, Skipped):
            skipped.append(one)
        elif isinstance(one, Damaged):
            damaged.append(one)
        elif one.instance_uid not in known:
            known[one.instance_uid] = one
        elif _are_equal(one, known[one.instance_uid]):
            skipped.append(Skipped(what=name, reason=f"the same instance as {known[one.instance_uid].name}"))
        else:
            reason = f"has the SOP instance UID of {known[one.instance_uid].name}, and other bytes"
            damaged.append(Damaged(file=one.file, name=name, reason=reason))
    binary = {one.file: one for one in known.values() if one.file.name.endswith(OTHER_FORM)}
    forms = {one: binary.get(one.file.with_name(one.file.stem + OTHER_FORM)) for one in known.values()}
    maps = {one.file.parent for one, other in forms.items() if other and one.class_uid == LABEL_MAP_SEGMENTATION}
    instead_of = {one.instance_uid: other for one, other in forms.items() if other and one.file.parent in maps}
    held = {one.instance_uid for one in instead_of.values()}
    instances = tuple(one for uid, one in known.items() if uid not in held)
    if not instances and not damaged:
        shown = ", ".join(printable(Path(path).name or str(path)) for path in paths)
        why = f" ({skipped[0].what}: {skipped[0].reason})" if skipped else ""
        raise ScanError(
            f"{shown} holds no DICOM instance{why}. Give a folder or a file that does, such as a result of medimg infer."
        )
    return Gathered(instances=instances, instead_of=instead_of, damaged=tuple(damaged), skipped=tuple(skipped))


def look(path: Path, name: str) -> Instance | Damaged | Skipped:
    """Return the instance that a file holds, or in words why there is none that could be sent."""
    one = _look(path, name)
    return Damaged(file=path, name=name, reason=one) if isinstance(one, str) else one


def _look(path: Path, name: str) -> Instance | Skipped | str:
    try:
        with path.open("rb") as file:
            state = state_of(file.fileno())
            head = file.read(132)
            if head[128:] != b"DICM":
                return Skipped(what=name, reason="no DICOM file")
            meta, offset = _read(file, implicit=False, stop=0x0002FFFF)
            syntax = str(meta.get("TransferSyntaxUID", ""))
            if syntax == DEFLATED:
                file.seek(offset)
                raw = zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(HEAD_LIMIT), HEAD_LIMIT)
                source: BinaryIO = BytesIO(raw)
            else:
                file.seek(offset)
                source = file
            header, _ = _read(
                source, implicit=syntax == "1.2.840.10008.1.2", stop=WANTED[-1], big=syntax == "1.2.840.10008.1.2.2"
            )
    except OSError as error:
        return f"cannot be read: {error.strerror or 'the disk refused'}"
    except Exception:  # noqa: BLE001 - a damaged header raises anything, and its text may quote the patient
        return "is DICOM with a damaged header"
    uids = _values(header, WANTED)
    class_uid, instance_uid, study_uid, series_uid = uids
    if class_uid == DIRECTORY or meta.get("MediaStorageSOPClassUID") == DIRECTORY:
        return Skipped(what=name, reason="a DICOMDIR, which lists files and is none of them")
    if not all(UID.fullmatch(uid) for uid in (*uids, syntax)):
        return "has no valid SOP class, SOP instance, study, series or transfer syntax UID"
    if (meta.get("MediaStorageSOPClassUID"), meta.get("MediaStorageSOPInstanceUID")) != (class_uid, instance_uid):
        return "says in its file header that it is another instance than its data set is"
    return Instance(
        file=path,
        name=name,
        class_uid=class_uid,
        instance_uid=instance_uid,
        study_uid=study_uid,
        series_uid=series_uid,
        syntax=syntax,
        offset=offset,
        state=state,
        patient_id=_values(header, (PATIENT_ID,))[0].strip(),
    )


def _values(header: Any, tags: Sequence[int]) -> list[str]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that cannot be: they are quoted
        return [str(header.get(tag).value) if header.get(tag) is not None else "" for tag in tags]


def state_of(file: Path | int) -> tuple[int, int]:
    """Return what changes when a file does."""
    status = os.stat(file)
    return status.st_size, status.st_mtime_ns


def _read(file: BinaryIO, *, implicit: bool, stop: int, big: bool = False) -> tuple[Any, int]:
    """Read the elements up to the tag `stop`; return them and where the next one begins."""
    import warnings

    from pydicom.filereader import read_dataset

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        read = read_dataset(file, implicit, not big, stop_when=lambda tag, _vr, _length: tag > stop, specific_tags=None)
    return read, file.tell()


def _are_equal(one: Instance, other: Instance) -> bool:
    """Say whether two files hold the same bytes; the same UID with other bytes is a fault of whoever wrote them."""
    return one.size == other.size and _hash(one.file) == _hash(other.file)


def _hash(path: Path) -> bytes:
    hashed = sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            hashed.update(piece)
    return hashed.digest()
