"""What a file says of one label of a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medimg._tools.text import printable

if TYPE_CHECKING:
    from medimg.values.code import Code

HOW_MADE = ("MANUAL", "SEMIAUTOMATIC", "AUTOMATIC")  # DICOM's words (PS3.3 C.8.20.2, Segment Algorithm Type)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One label of a mask, as the file it came from describes it; what a label *is* stands as a `Code` in `Mask.labels`.

    Args:
        name: what people call it (Segment Label, ROI Name); printable, one line.
        category: the wider sort of thing it is (`Tissue`, `Morphologically Abnormal Structure`), if the file says it.
        site, laterality: where it lies, if the file says it.
        how_made: "MANUAL", "SEMIAUTOMATIC", "AUTOMATIC", or "" if the file does not say how it was outlined.
        algorithm: the name of what outlined it, "" if the file gives none.
        tracking_uid: the same for the same thing in several objects (SEG and SR, or over time), "" if it has none.
    """

    name: str = ""
    category: Code | None = None
    site: Code | None = None
    laterality: Code | None = None
    how_made: str = ""
    algorithm: str = ""
    tracking_uid: str = ""

    def __post_init__(self) -> None:
        for name in ("name", "algorithm"):
            object.__setattr__(self, name, printable(getattr(self, name)))
        if self.how_made not in ("", *HOW_MADE):
            raise ValueError(f"how_made is {self.how_made!r}, not one of {', '.join(HOW_MADE)}")
