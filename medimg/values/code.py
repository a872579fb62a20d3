"""A coded concept."""

from __future__ import annotations

from dataclasses import dataclass

PRIVATE_SCHEME = "99MEDIMG"  # for concepts that no public scheme has; never an invented SCT number
SCORE_OF_A_MODEL = "Score of a model: "  # begins the meaning of a private concept for a score that medimg does not know


@dataclass(frozen=True)
class Code:
    """A coded concept as DICOM writes it (PS3.3 section 8): scheme designator, code value, meaning.

    >>> Code("SCT", "27925004", "Nodule")
    Code(scheme='SCT', value='27925004', meaning='Nodule')
    """

    scheme: str
    value: str
    meaning: str

    def __post_init__(self) -> None:
        if not (self.scheme and self.value and self.meaning):
            raise ValueError("a Code needs a scheme, a value and a meaning")
        if len(self.scheme) > 16 or len(self.value) > 16 or len(self.meaning) > 64:
            raise ValueError("a Code's scheme and value have at most 16 characters, its meaning 64 (VR SH and LO)")
        if not (self.scheme + self.value).isascii() or "\\" in self.scheme + self.value + self.meaning:
            raise ValueError("a Code's scheme and value are ASCII, and no backslash is in it, which would make two of one")
        if not (self.scheme + self.value + self.meaning).isprintable():
            raise ValueError("a Code's parts are printable")
