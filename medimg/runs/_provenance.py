"""What made a result."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from medimg.values import Provenance

if TYPE_CHECKING:
    from medimg.models import ModelCard

PACKAGES = ("torch", "monai", "numpy", "scipy", "SimpleITK", "pydicom", "highdicom")  # those whose version can move a result


def provenance(card: ModelCard, **options: object) -> Provenance:
    """Return what made a result of this model: card, weights, versions, the card's numbers and the options of the run."""
    import medimg

    numbers: dict[str, object] = {}
    for stage in card.stages:
        numbers[f"{stage.task}_threshold"] = stage.threshold
        numbers |= {f"{stage.task}_{name}": value for name, value in stage.parameters.items()}
        for line in stage.scores:
            weights = [line.slope, line.size_weight, line.opinion_weight, line.density_weight]
            numbers[f"{line.name}_line"] = [*weights, line.intercept]
    return Provenance(
        model=card.name,
        model_version=card.version,
        model_summary=card.summary,
        model_licence=card.licence,
        weights_sha256={stage.weights_file: stage.weights_sha256 for stage in card.stages},
        medimg_version=medimg.__version__,
        versions=versions(*PACKAGES),
        parameters={**options, **numbers},
        research_only=card.research_only,
    )


def versions(*packages: str) -> dict[str, str]:
    """Return the version of each package."""
    return {name: _version(name) for name in packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
