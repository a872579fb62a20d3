"""What is written names no file of the user: names of files and folders can name a patient."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medimg.values import Hazard, Series, Skipped, Study, StudyResult


def nameless(result: StudyResult, study: Study) -> StudyResult:
    """Return the result with every name of a file in its sentences replaced by `file K` (K: its place in its series).

    The terminal, `--json` and `medimg inspect` do name files, to the one who gave them.
    """
    names = _numbered((result.series, *study.series))
    hazards = _nameless_hazards(result.series, names)
    others = tuple(_nameless_item(item, names) for item in result.other_series)
    return replace(result, series=replace(result.series, hazards=hazards), other_series=others)


def nameless_series(series: Series) -> Series:
    """Return a series whose hazards name files by their number only."""
    names = _numbered((series,))
    return replace(series, hazards=_nameless_hazards(series, names))


def _nameless_hazards(series: Series, names: dict[str, str]) -> tuple[Hazard, ...]:
    return tuple(
        replace(hazard, sentence=_without(hazard.sentence, names), files=tuple(_without(file, names) for file in hazard.files))
        for hazard in series.hazards
    )


def _numbered(series: Iterable[Series]) -> dict[str, str]:
    """Return what stands for each name, longest first, so that no name is cut into by a shorter one."""
    names: dict[str, str] = {}
    for one in series:
        listed = [str(file) for file in one.files]
        listed += [file for hazard in one.hazards for file in hazard.files]
        for number, file in enumerate(listed, start=1):
            for name in (file, os.path.basename(file)):
                names.setdefault(name, f"file {number}")
    return {name: names[name] for name in sorted(names, key=len, reverse=True) if name}


def _without(sentence: str, names: dict[str, str]) -> str:
    for name, words in names.items():
        sentence = sentence.replace(name, words)
    return sentence


def _nameless_item(item: Skipped, names: dict[str, str]) -> Skipped:
    return replace(item, reason=_without(item.reason, names))
