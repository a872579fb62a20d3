"""What is asked for: a question that names a patient, and that shows itself to nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from medimg.errors import OptionError
from medimg.nodes._instances import UID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEME = "pacs://"
MEANT = "pacs:"
LIMIT = 64  # characters of LO and UI (PS3.5 section 6.2)
DATE = re.compile(r"\d{8}|\d{8}-|-\d{8}|\d{8}-\d{8}")
WILD = "*?\\"  # PS3.4 C.2.2.2: these match other patients too
NAMES = {  # DICOM's keyword, as in pacs:// -> the field
    "PatientID": "patient_id",
    "AccessionNumber": "accession_number",
    "StudyDate": "study_date",
    "Modality": "modality",
    "StudyInstanceUID": "study_uid",
    "SeriesInstanceUID": "series_uid",
}
NARROWING = ("patient_id", "accession_number", "study_date", "study_uid")  # one of these at least


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which studies, and which series of them; what is empty may be anything.

    No value is shown by `repr`, nor in an error: they say whose studies are meant.

    Attributes:
        patient_id: PatientID, exactly.
        accession_number: AccessionNumber, exactly.
        study_date: a day (20240131), or a range of days (20240101-20240131, 20240101-, -20240131).
        modality: of the series, e.g. "CT"; other series are left where they are.
        study_uid: StudyInstanceUID.
        series_uid: SeriesInstanceUID, of the one series that is wanted.

    Raises:
        OptionError: a value cannot be one of its kind, or nothing narrows the question.
    """

    patient_id: str = field(default="", repr=False)
    accession_number: str = field(default="", repr=False)
    study_date: str = field(default="", repr=False)
    modality: str = field(default="", repr=False)
    study_uid: str = field(default="", repr=False)
    series_uid: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, getattr(self, one.name).strip(" "))
        for name in ("patient_id", "accession_number"):
            _require(name, self, lambda value: value.isprintable() and len(value) <= LIMIT and not set(value) & set(WILD))
        _require("study_date", self, lambda value: DATE.fullmatch(value) is not None)
        _require("modality", self, lambda value: re.fullmatch(r"[A-Z0-9_]{1,16}", value) is not None)
        for name in ("study_uid", "series_uid"):
            _require(name, self, lambda value: UID.fullmatch(value) is not None)
        if not any(getattr(self, name) for name in NARROWING):
            raise OptionError("query", "so wide", "a patient ID, an accession number, a date or a study UID")

    @property
    def study_keys(self) -> dict[str, str]:
        """The keys of the question for studies, by DICOM keyword."""
        keys = {
            "PatientID": self.patient_id,
            "AccessionNumber": self.accession_number,
            "StudyDate": self.study_date,
            "ModalitiesInStudy": self.modality,
            "StudyInstanceUID": self.study_uid,
        }
        return {key: value for key, value in keys.items() if value}

    def fits_study(self, answer: Mapping[str, str]) -> bool:
        """Say whether an answer, by DICOM keyword, is what was asked for: some peers pass over what they do not know."""
        exact = {"PatientID": self.patient_id, "AccessionNumber": self.accession_number, "StudyInstanceUID": self.study_uid}
        if any(value and answer.get(key, "").strip() != value for key, value in exact.items()):
            return False
        modalities = answer.get("ModalitiesInStudy", "").split("\\")
        if self.modality and any(modalities) and self.modality not in modalities:
            return False
        return not self.study_date or self._has_date(answer.get("StudyDate", ""))

    def fits_series(self, answer: Mapping[str, str]) -> bool:
        """Say whether a series of such a study is wanted."""
        if self.series_uid and answer.get("SeriesInstanceUID", "") != self.series_uid:
            return False
        return not self.modality or answer.get("Modality", "").strip() == self.modality

    def _has_date(self, date: str) -> bool:
        first, dash, last = self.study_date.partition("-")
        return (date >= first if first else True) and (not (last or not dash) or date <= (last or first)) and bool(date)


def is_address(word: object) -> bool:
    """Say whether a word is meant as an address of studies on a node, and not as a path.

    One that is written wrongly (PACS://, pacs:/) is one too: as a path it would be named in an error, with whose study it is.
    """
    return str(word)[: len(MEANT)].lower() == MEANT


def parse(address: str) -> tuple[str, Query]:
    """Return the node and the question of `pacs://NODE?PatientID=...&StudyDate=...`.

    Raises:
        OptionError: it is no such address; nothing of the question is shown.

    >>> node, query = parse("pacs://archive?PatientID=4711&Modality=CT")
    >>> node, query.patient_id, query
    ('archive', '4711', Query())
    """
    wanted = f"pacs://NODE?KEY=VALUE&KEY=VALUE, with keys of: {', '.join(NAMES)}"
    parts = urlsplit(address)
    node = unquote(parts.netloc)
    if not address.startswith(SCHEME) or not node or parts.path not in ("", "/") or parts.fragment or not parts.query:
        raise OptionError("scan", "an address like that", wanted)
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, max_num_fields=2 * len(NAMES))
    except ValueError:
        raise OptionError("scan", "an address like that", wanted) from None
    values: dict[str, str] = {}
    for key, value in pairs:
        if key not in NAMES:
            raise OptionError.unknown("key of the address", key if key.isalnum() else "what was given", NAMES)
        if NAMES[key] in values or not value:
            raise OptionError(f"{key} of the address", "empty, or there twice", "one value")
        values[NAMES[key]] = value
    return node, Query(**values)


def _require(name: str, query: Query, good: Callable[[str], bool]) -> None:
    value = getattr(query, name)
    if value and not good(value):
        raise OptionError(name, "what was given", WANTED[name])  # whose it is stays untold


WANTED = {
    "patient_id": "the patient's ID as it is: 64 characters at most, without * ? and \\",
    "accession_number": "the accession number as it is: 64 characters at most, without * ? and \\",
    "study_date": "a day like 20240131, or a range like 20240101-20240131, 20240101- or -20240131",
    "modality": "one modality in capitals, such as CT",
    "study_uid": "a UID: digits and dots, 64 at most",
    "series_uid": "a UID: digits and dots, 64 at most",
}
