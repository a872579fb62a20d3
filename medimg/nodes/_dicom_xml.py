"""Read what archives that know no JSON answer: the Native DICOM Model (PS3.19 annex A), its sequences and values only."""

from __future__ import annotations

from typing import Any

DEPTH_LIMIT = 64  # of elements in one another; an answer to STOW-RS has six


class _NotReadableError(Exception):
    """It is none, or more than an answer needs."""


class _Reader:
    """Builds what DICOM JSON would hold, element by element."""

    def __init__(self) -> None:
        self.data_sets: list[dict[str, Any]] = []
        self._open: list[tuple[str, Any]] = []  # the elements around, each with what is being filled
        self._text: list[str] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element; what is inside of another than these is passed over with it."""
        if len(self._open) >= DEPTH_LIMIT:
            raise _NotReadableError
        kind = name.rpartition(":")[2]
        around, filled = self._open[-1] if self._open else ("", None)
        made: Any = None
        if kind == "NativeDicomModel":
            made = {}
            self.data_sets.append(made)
        elif kind == "DicomAttribute" and around in ("NativeDicomModel", "Item") and filled is not None:
            made = filled.setdefault(attributes.get("tag", "").upper(), {"Value": []})["Value"]
        elif kind == "Item" and around == "DicomAttribute" and filled is not None:
            made = {}
            filled.append(made)
        elif kind == "Value" and around == "DicomAttribute" and filled is not None:
            made = filled
            self._text = []
        self._open.append((kind, made))

    def end(self, _name: str) -> None:
        """Take the end of an element."""
        kind, filled = self._open.pop()
        if kind == "Value" and filled is not None:
            filled.append("".join(self._text).strip())

    def text(self, piece: str) -> None:
        """Take a piece of text."""
        self._text.append(piece)


def _refuse(*_: object) -> None:
    """Refuse a document type: it may say that a few bytes mean millions, or name files of ours."""
    raise _NotReadableError


def data_sets_of(content: bytes) -> list[dict[str, Any]]:
    """Return the data sets of an answer as DICOM JSON would hold them, none if it is no such XML.

    >>> data_sets_of(b'<NativeDicomModel><DicomAttribute tag="00081190" vr="UR"><Value number="1">a</Value></DicomAttribute>'
    ...              b'</NativeDicomModel>')
    [{'00081190': {'Value': ['a']}}]
    """
    from xml.parsers import expat

    reader, parser = _Reader(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.begin, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(content, True)
    except (_NotReadableError, expat.ExpatError, ValueError, LookupError):
        return []
    return reader.data_sets
