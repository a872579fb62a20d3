"""Write docs/models/NAME.md from the card of every packaged model, so that a figure is stated once.

Usage: python docs/make_models.py
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg.models import load_package
from medimg.models.package import PACKAGED
from medimg.training.robustness import CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medimg.models import ModelCard, SecondOpinion

FOLDER = Path(__file__).parent / "models"
IMAGES = Path(__file__).parent / "images"
ROBUSTNESS, CHANGES = "robustness_", ("dice_change", "auroc", "auroc_change")
ATTRIBUTION = "CT: LIDC-IDRI (Armato et al., CC BY 3.0), cut and outlined by LUNA16 (Setio et al., CC BY 4.0)."


def main() -> None:
    """Write every page."""
    for folder in sorted(path.parent for path in PACKAGED.glob("*/model.toml")):
        card = load_package(folder.name).card
        (FOLDER / f"{card.name}.md").write_text(page(card), encoding="utf-8")


def page(card: ModelCard) -> str:
    """Return the page of a card."""
    limits = card.input
    ranges = [
        ("modality", limits.modality),
        ("shows", limits.region),
        ("slices", f"{_range(limits.slice_spacing_mm)} mm apart"),
        ("pixels", f"{_range(limits.pixel_spacing_mm)} mm wide"),
        ("covers", f"{_range(limits.extent_mm)} mm along the patient"),
        ("gantry", f"tilted by {limits.tilt_limit_deg:g} degrees at most"),
        ("age", f"{limits.age_limit_years:g} years and more"),
    ]
    stages = [
        (stage.task, f"`{stage.network}`", f"{stage.threshold:g}", stage.why or "-", f"`{stage.weights_sha256[:12]}`")
        for stage in card.stages
    ]
    scores = [
        (f"`{score.name}`", score.meaning, "yes" if score.calibrated else "no") for stage in card.stages for score in stage.scores
    ]
    return "\n".join(
        [
            f"# {card.name} {card.version}",
            "",
            "<!-- made by docs/make_models.py from the card; change that, and run it again -->",
            "",
            f"{card.summary} **{card.research_only}** Licence of the weights: {card.licence}. [What the fields mean](README.md).",
            "",
            "## How it was trained",
            "",
            card.training.strip(),
            "",
            "## What it takes",
            "",
            *_table(("", ""), ranges),
            "",
            "Outside of this a scan is refused in words, never scored in silence. "
            f"A series whose BodyPartExamined is one of {', '.join(limits.excluded_body_parts)} is left out; "
            "no value of it lets one in.",
            "",
            "## Stages",
            "",
            *_table(("task", "network", "threshold", "why", "weights (SHA-256)"), stages),
            "",
            *_table(("score", "meaning", "calibrated"), scores),
            "",
            *_opinion(card.second_opinion),
            "## How good it is",
            "",
            *_evidence(card.evidence),
            *_failures(card),
        ]
    )


def _opinion(opinion: SecondOpinion | None) -> Iterator[str]:
    """Show the readable model beside the network: every weight, for numbers in units of their spread."""
    if opinion is None:
        return
    yield from ("## Second opinion", "", opinion.meaning, "")
    yield from _table(
        ("number", "mean", "spread", "weight"),
        [(term.words, f"{term.mean:.4g}", f"{term.spread:.4g}", f"{term.weight:+.2f}") for term in opinion.terms],
    )
    words = "`1 / (1 + exp(-(intercept + sum of weight * (number - mean) / spread)))`; the diameter is taken as ln(d / 10 mm)."
    yield from ("", f"{words} Intercept {opinion.intercept:+.2f}.", "")


def _failures(card: ModelCard) -> Iterator[str]:
    """Show the picture of the worst cases, which `medimg evaluate --output` draws, where it was kept."""
    picture = IMAGES / f"{card.name}-failures.png"
    if picture.exists():
        yield from (
            "## Where it fails",
            "",
            f"![The worst outlines, misses and scores](../images/{picture.name})",
            "",
            ATTRIBUTION,
            "",
        )


def _evidence(evidence: dict[str, Any]) -> Iterator[str]:
    """Say plain values as lines and tables of the card as tables."""
    for name, value in evidence.items():
        if isinstance(value, str) and name not in ("split",):
            yield from (" ".join(value.split()), "")
    for name, value in evidence.items():
        if isinstance(value, dict):
            plain = {key: item for key, item in value.items() if key != "title" and not key.startswith(ROBUSTNESS)}
            yield from (f"### {value.get('title', name)}", "")
            yield from _table(("figure", "value"), [(_words(key), _figure(item)) for key, item in plain.items()])
            yield ""
            yield from _robustness({key: item for key, item in value.items() if key.startswith(ROBUSTNESS)})
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            keys = list(value[0])
            yield from _table(tuple(map(_words, keys)), [tuple(_figure(row[key]) for key in keys) for row in value])
            yield ""


def _robustness(figures: dict[str, Any]) -> Iterator[str]:
    """Show the same nodules scanned otherwise, a line for each way."""
    if not figures:
        return
    yield from ("#### The same nodules, scanned otherwise", "", "Changes are paired, nodule by nodule.", "")
    rows = []
    for name, condition in CONDITIONS.items():
        mine = {key.removeprefix(f"{ROBUSTNESS}{name}_"): item for key, item in figures.items()}
        refused = "refused: outside of what the model takes" if "refused" in mine else ""
        rows.append((condition.words, refused or _cell(mine, "dice"), *(_cell(mine, key) for key in CHANGES)))
    yield from _table(("scanned", "Dice", "change", "suspicion AUROC", "change"), rows)
    yield ""


def _cell(figures: dict[str, Any], key: str) -> str:
    return _figure(figures[key]) if key in figures else ""


def _words(name: str) -> str:
    return name.replace("_", " ")


def _figure(value: Any) -> str:
    if isinstance(value, list):
        middle, low, high = value
        return f"{middle:.3f} ({low:.3f} to {high:.3f})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _range(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g} to {pair[1]:g}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    main()
