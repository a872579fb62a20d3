"""The card of a model: what it takes, which networks it runs, what it was measured to do."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from medimg.errors import ModelError
from medimg.measures.descriptors import NAMES as DESCRIPTORS
from medimg.models.larger import Larger
from medimg.models.second_opinion import SecondOpinion, Term
from medimg.values import Code

CARD_FILE = "model.toml"
TASKS = ("detect", "outline", "classify")


@dataclass(frozen=True, kw_only=True)
class ScoreLine:
    """One score that a classify stage gives: the network's output of that name, its meaning, and its calibration.

    The score is sigmoid(slope * logit + size_weight * ln(d / 10 mm) + opinion_weight * o + density_weight * h / 1000 HU +
    intercept), with d the diameter of the sphere that has the outline's expected volume (the sum of its voxels' probabilities), o
    the logit of the card's second opinion and h the mean HU of the outline; `calibrated` says that they were fitted on validation
    patients. `cuts` part the score into classes, whose names are `classes`, those of the lowest values first.
    """

    name: str
    meaning: str
    slope: float = 1.0
    intercept: float = 0.0
    size_weight: float = 0.0
    opinion_weight: float = 0.0
    density_weight: float = 0.0
    cuts: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    calibrated: bool = False

    def class_of(self, value: float) -> str:
        """Return the name of the class that a value of the score lies in, "" where the score is not parted.

        >>> line = ScoreLine(name="texture", meaning="How solid.", cuts=(0.3, 0.8), classes=("glass", "part-solid", "solid"))
        >>> line.class_of(0.1), line.class_of(0.3), line.class_of(0.9)
        ('glass', 'part-solid', 'solid')
        """
        return self.classes[sum(value >= cut for cut in self.cuts)] if self.cuts and self.classes else ""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One network of a model.

    Args:
        task: detect (peaks in a volume), outline (a mask in a crop) or classify (scores of a crop).
        network: a module of `models/networks/`; `arguments` are what its `build` takes.
        weights_file, weights_sha256: in the package's folder.
        spacing_mm: voxel size the network works at (slice, row, column).
        window: edge of the window or crop in voxels; `margin` is what a window's border is not trusted for.
        threshold: of the operating point; `why` says how it was chosen.
        scores: what a classify stage gives. The first is the probability that the finding is one.
        saliency_layer: the layer that saliency methods look at.
        parameters: the stage's further numbers, by name.
    """

    task: str
    network: str
    weights_file: str
    weights_sha256: str
    arguments: dict[str, Any] = field(default_factory=dict)
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    window: int = 40
    margin: int = 0
    threshold: float = 0.5
    why: str = ""
    scores: tuple[ScoreLine, ...] = ()
    saliency_layer: str = ""
    parameters: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class InputLimits:
    """What a model was made for; outside of it a scan is refused or marked, never scored in silence."""

    modality: str
    slice_spacing_mm: tuple[float, float]
    pixel_spacing_mm: tuple[float, float]
    extent_mm: tuple[float, float]
    tilt_limit_deg: float
    age_limit_years: float
    region: str
    excluded_body_parts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """A model card (`model.toml`), checked. The fields are described in docs/models/README.md."""

    name: str
    version: str
    summary: str
    licence: str
    research_only: str
    training: str
    input: InputLimits
    stages: tuple[Stage, ...]
    finding_kind: Code
    finding_site: Code | None
    diameter_range_mm: tuple[float, float]
    larger: Larger | None = None
    second_opinion: SecondOpinion | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    def stage(self, task: str) -> Stage:
        """Return the stage of a task.

        Raises:
            ModelError: the card has none.
        """
        for stage in self.stages:
            if stage.task == task:
                return stage
        raise ModelError(f"The model {self.name} has no stage that can {task}. Choose a model that has one: medimg models list.")

    def to_dict(self) -> dict[str, Any]:
        """Return what `medimg models show` prints, as JSON values."""
        return {
            "name": self.name,
            "version": self.version,
            "summary": self.summary,
            "licence": self.licence,
            "research_only": self.research_only,
            "training": self.training,
            "input": {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self.input).items()},
            "diameter_range_mm": list(self.diameter_range_mm),
            "larger": _listed(asdict(self.larger)) if self.larger else None,
            "stages": [
                {
                    "task": stage.task,
                    "network": stage.network,
                    "threshold": stage.threshold,
                    "why": stage.why,
                    "sha256": stage.weights_sha256,
                }
                for stage in self.stages
            ],
            "second_opinion": _listed(asdict(self.second_opinion)) if self.second_opinion else None,
            "evidence": self.evidence,
        }


def _listed(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def read_card(path: str | Path) -> ModelCard:
    """Read and check a card.

    Raises:
        ModelError: it is missing, is not TOML, or lacks a field; the message names the field.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _card(tomllib.load(file))
    except OSError as error:
        raise ModelError(
            f"The model's card {path.name} cannot be read: {error.strerror}. Install medimg again, or give a model's folder."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"The model's card is not TOML: {error}. Correct it, or install the model again.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"The model's card lacks a sound field: {error}. Compare it with a packaged one: medimg models show."
        ) from error


def _card(fields: dict[str, Any]) -> ModelCard:
    limits: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.pop("input").items()
    }
    finding = fields.pop("finding")
    opinion = fields.pop("second_opinion", None)
    site, larger = finding.get("site"), finding.get("larger")
    return ModelCard(
        input=InputLimits(**limits),
        stages=tuple(_stage(dict(stage)) for stage in fields.pop("stage")),
        finding_kind=Code(*finding["kind"]),
        finding_site=Code(*site) if site else None,
        diameter_range_mm=tuple(finding["diameter_range_mm"]),
        larger=_larger(dict(larger)) if larger else None,
        second_opinion=_opinion(opinion) if opinion else None,
        **fields,
    )


def _larger(fields: dict[str, Any]) -> Larger:
    steps = tuple(sorted((float(step) for step in fields.pop("spacings_mm")), reverse=True))
    if not steps or steps[-1] <= 0:
        raise ValueError("spacings_mm of what is larger holds no length")
    return Larger(kind=Code(*fields.pop("kind")), spacings_mm=steps, **fields)


def _opinion(fields: dict[str, Any]) -> SecondOpinion:
    terms = tuple(Term(**term) for term in fields.pop("terms"))
    unknown = [term.feature for term in terms if term.feature not in DESCRIPTORS]
    if unknown or any(term.spread <= 0 for term in terms):
        raise ValueError(f"second opinion on {', '.join(unknown) or 'a number without a spread'}")
    return SecondOpinion(terms=terms, **fields)


def _line(fields: dict[str, Any]) -> ScoreLine:
    listed: dict[str, Any] = {name: tuple(fields[name]) for name in ("cuts", "classes") if name in fields}
    line = ScoreLine(**(fields | listed))
    if line.cuts and line.classes and len(line.classes) != len(line.cuts) + 1:
        raise ValueError(f"score {line.name} has {len(line.cuts)} cuts and {len(line.classes)} classes")
    return line


def _stage(fields: dict[str, Any]) -> Stage:
    weights = fields.pop("weights")
    point = fields.pop("operating_point", {})
    stage = Stage(
        weights_file=weights["file"],
        weights_sha256=weights["sha256"],
        threshold=point.get("threshold", 0.5),
        why=point.get("why", ""),
        spacing_mm=tuple(fields.pop("spacing_mm", (1.0, 1.0, 1.0))),
        scores=tuple(_line(score) for score in fields.pop("scores", ())),
        **fields,
    )
    if stage.task not in TASKS:
        raise ValueError(f"task {stage.task!r} is none of {', '.join(TASKS)}")
    if "/" in stage.weights_file or "\\" in stage.weights_file:
        raise ValueError(f"weights file {stage.weights_file!r} is not a bare name")
    return stage
