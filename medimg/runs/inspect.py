"""Look at scans without running anything: what lies there, how far it can be trusted, which models would run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from medimg.models import ModelCard
    from medimg.values import Series, Skipped, Study

SCHEMA = "medimg.inspection/1"  # changes with every change of meaning; documented in docs/commands.md


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What `inspect` saw.

    Args:
        studies: the examinations, each with its series, their geometry and hazards.
        skipped: what is not an image, or not one that can be read, and why.
        models: for each series (by name) and each packaged model "" if the series' headers fit the model, else why not.
    """

    studies: tuple[Study, ...]
    skipped: tuple[Skipped, ...] = ()
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def series(self) -> tuple[Series, ...]:
        """The series of all studies."""
        return tuple(series for study in self.studies for series in study.series)

    def to_dict(self) -> dict[str, Any]:
        """Return the inspection as JSON values; each series says which models fit and why others do not."""
        return {
            "schema": SCHEMA,
            "studies": [
                {"name": study.name, "series": [{**series.to_dict(), "models": self._models(series)} for series in study.series]}
                for study in self.studies
            ],
            "skipped": [item.to_dict() for item in self.skipped],
        }

    def _models(self, series: Series) -> list[dict[str, object]]:
        reasons = self.models.get(series.name, {})
        return [{"name": name, "fits": not reason, "reason": reason} for name, reason in reasons.items()]


def inspect(*paths: str | Path) -> Inspection:
    """Describe what lies at `paths` from headers alone; no voxel is decoded and nothing is written.

    Whether a model fits is said from the headers too. `medimg.infer` looks at the voxels besides, and may still refuse.

    Raises:
        ScanError: a path does not exist.

    >>> inspection = inspect("example_dicoms")
    >>> [series.modality for series in inspection.series]
    ['CT']
    """
    from medimg.readers import scan

    studies, skipped = scan(*paths)
    cards = _cards()
    models = {
        series.name: {name: _reason(card, series) for name, card in cards.items()} for study in studies for series in study.series
    }
    return Inspection(studies=studies, skipped=skipped, models=models)


def _cards() -> dict[str, ModelCard | str]:
    """Return the card of every model, or, where it is damaged, the sentence that says so."""
    from medimg.errors import MedimgError
    from medimg.models import load_package, names

    cards: dict[str, ModelCard | str] = {}
    for name in names():
        try:
            cards[name] = load_package(name).card
        except MedimgError as error:
            cards[name] = str(error)
    return cards


def _reason(card: ModelCard | str, series: Series) -> str:
    from medimg.models import fit

    return card if isinstance(card, str) else fit(card, series)
