"""Codes as DICOM can write them."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from medimg.values import Code


def test_codes_with_the_same_words_are_the_same() -> None:
    assert Code("SCT", "39607008", "Lung") == Code("SCT", "39607008", "Lung")
    assert len({Code("SCT", "39607008", "Lung"), Code("SCT", "39607008", "Lung")}) == 1


def test_the_lung_is_the_lung_of_the_standard() -> None:
    assert codes.SCT.Lung.value == Code("SCT", "39607008", "Lung").value


@pytest.mark.parametrize(
    "words",
    [
        *(("", "1", "a"), ("SCT", "", "a"), ("SCT", "1", ""), ("S" * 17, "1", "a"), ("SCT", "1" * 17, "a")),
        *(("SCT", "1\\2", "a"), ("SCT", "1", "a\\b"), ("SCT", "ä", "a"), ("SCT", "1", "a\nb")),
    ],
)
def test_what_dicom_cannot_write_is_refused(words: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="Code"):
        Code(*words)


def test_a_meaning_has_at_most_64_characters() -> None:
    Code("SCT", "1", "a" * 64)
    with pytest.raises(ValueError, match="64"):
        Code("SCT", "1", "a" * 65)
