"""From the labels of a mask that was given to findings: measured, named, and judged by nobody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from medimg._tools.identity import digest, uid_from
from medimg.errors import OptionError, ScanError
from medimg.measures import center_mm, measure
from medimg.measures.measure import padding
from medimg.runs._gaps import with_gaps_said
from medimg.values import Code, Finding, Mask, Prediction, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from medimg.values import Series, Volume

KINDS = {
    "lesion": Code("SCT", "52988006", "Lesion"),
    "nodule": Code("SCT", "27925004", "Nodule"),
    "mass": Code("SCT", "4147007", "Mass"),
    "neoplasm": Code("SCT", "108369006", "Neoplasm"),
}
GIVEN = Code("DCM", "111030", "Image Region")  # of a label that nobody says anything of: nothing is claimed
PLACE = Code("SCT", "309825002", "Spatial and Relational Concept")
ABNORMAL = Code("SCT", "49755003", "Morphologically Abnormal Structure")
UID, UID_LENGTH = re.compile(r"[0-2](\.(0|[1-9]\d*))+", re.ASCII), 64  # PS3.5 section 9.1
BEYOND = "{} of its voxels lie outside of what the scanner measured: they count for its volume, and not for its HU."
FINDINGS_LIMIT = 500  # of one mask: more pieces are noise, and no report of them helps


def kind_of_lesion(kind: str | None) -> Code | None:
    """Return the code that a user means by `kind`: one of `KINDS`, or SCHEME:VALUE:MEANING.

    Raises:
        OptionError: it is neither.

    >>> kind_of_lesion("nodule").value, kind_of_lesion("SCT:10200004:Liver").meaning
    ('27925004', 'Liver')
    """
    if kind is None or kind in KINDS:
        return KINDS[kind] if kind else None
    if kind.count(":") < 2:
        raise OptionError.unknown("kind", kind, [*KINDS, "SCHEME:VALUE:MEANING"])
    try:
        return Code(*(part.strip() for part in kind.split(":", 2)))
    except ValueError as error:
        raise OptionError("kind", kind, f"SCHEME:VALUE:MEANING as DICOM allows it ({error})") from error


def findings_of(
    volume: Volume,
    mask: Mask,
    series: Series,
    *,
    names: Mapping[int, str],
    kind: Code | None,
    components: bool,
    files: tuple[Path, ...],
    remarks: tuple[str, ...] = (),
) -> Prediction:
    """Return a finding for each label of a mask on the volume's grid, or for each of its connected pieces.

    `files` are those that may name the patient: no label is called what holds a part of that name.

    Raises:
        OptionError: a name is given to a label that the mask has not.
        ScanError: it falls into more pieces than a report can hold.
    """
    labels = list(mask.present)
    for label in names:
        if label not in labels:
            raise OptionError("segment_names", label, f"a label that the mask has: {', '.join(map(str, labels))}")
    array, parts = _pieces(mask, labels, components=components)
    if len(parts) > FINDINGS_LIMIT:
        what = "pieces" if components else "labels"
        raise ScanError(
            f"The mask has {len(parts)} {what}, and a report holds {FINDINGS_LIMIT}. "
            "Name those that matter with --segments LIST (segments=[...])."
        )
    pieces = Mask(array=array, grid=mask.grid)
    called = mask.names | dict(names)
    told = without_patient(called, files)
    if any(label in called and label not in told for label in labels):
        remarks += ("A label's name holds the patient's name or ID and was left out.",)
    followed = _tracking_uids(mask, labels)
    findings = tuple(
        _finding(volume, pieces, mask, series, number, label, piece, told.get(label, ""), kind, followed)
        for number, (label, piece) in enumerate(parts, 1)
    )
    kinds = {finding.id: finding.kind for finding in findings}
    prediction = Prediction(
        findings=findings,
        mask=Mask(array=array, grid=mask.grid, labels=kinds),
        remarks=(*mask.remarks, *remarks),
    )
    return with_gaps_said(prediction, series)


def _pieces(mask: Mask, labels: list[int], *, components: bool) -> tuple[NDArray[np.unsignedinteger], list[tuple[int, int]]]:
    """Return an array of finding numbers, and for each the label it is of and the number of the piece, 0 for all of it."""
    parts: list[tuple[int, int]] = []
    if not components:
        order = np.zeros(max(labels) + 1, np.uint8 if len(labels) < 256 else np.uint16)
        order[labels] = np.arange(1, len(labels) + 1)
        return order[mask.array], [(label, 0) for label in labels]
    from scipy import ndimage

    array = np.zeros(mask.shape, np.uint16)
    for label in labels:
        box = mask.box(label)
        assert box is not None  # it was seen
        found, count = ndimage.label(mask.array[box] == label, np.ones((3, 3, 3)))
        if len(parts) + count > FINDINGS_LIMIT:
            return array, [*parts, *[(label, piece) for piece in range(1, count + 1)]]  # the caller refuses it
        array[box][found > 0] = (found[found > 0] + len(parts)).astype(np.uint16)
        parts += [(label, piece if count > 1 else 0) for piece in range(1, count + 1)]
    return array, parts


def _finding(
    volume: Volume,
    pieces: Mask,
    mask: Mask,
    series: Series,
    number: int,
    label: int,
    piece: int,
    name: str,
    kind: Code | None,
    followed: Mapping[int, str],
) -> Finding:
    segment = mask.segments.get(label, Segment())
    own = mask.labels.get(label)
    code = own or kind or GIVEN
    box = pieces.box(number)
    assert box is not None  # it was numbered because it is there
    voxels = digest(*(side.start for side in box), np.packbits(pieces.array[box] == number).tobytes())
    beyond = padding(volume, pieces, label=number)
    made = uid_from(series.series_uid or series.name, "given outline", label, piece, voxels.hex())
    return Finding(
        id=number,
        center_mm=center_mm(pieces, label=number),
        measures=measure(volume, pieces, label=number),
        kind=code,
        category=(segment.category if own else None) or (PLACE if code == GIVEN else ABNORMAL),
        site=segment.site,
        laterality=segment.laterality,
        detection_probability=None,
        tracking_uid=made if piece else followed.get(label, made),
        name=f"{name} ({piece})" if name and piece else name,
        remarks=(BEYOND.format(beyond),) if beyond else (),
    )


def _tracking_uids(mask: Mask, labels: list[int]) -> dict[int, str]:
    """Return the tracking UIDs that the mask's file gives, where each is a UID and one label's alone.

    Readers of reports join what has one tracking UID, so that two findings would become one.
    """
    told = [mask.segments[label].tracking_uid for label in labels if label in mask.segments]
    return {
        label: mask.segments[label].tracking_uid
        for label in labels
        if label in mask.segments
        and told.count(mask.segments[label].tracking_uid) == 1
        and len(mask.segments[label].tracking_uid) <= UID_LENGTH
        and UID.fullmatch(mask.segments[label].tracking_uid)
    }


def without_patient(names: dict[int, str], files: tuple[Path, ...]) -> dict[int, str]:
    """Return the names that do not hold the patient's name or ID, as any of the files has it: what is written names nobody."""
    from medimg.readers import patient_words

    words = [word for file in files for word in patient_words(file)]
    return {label: name for label, name in names.items() if not any(word in name.lower() for word in words)}
