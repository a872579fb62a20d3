"""What made a result."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from medimg.values import Provenance

if TYPE_CHECKING:
    from medimg.models import ModelCard

PACKAGES = ("torch", "monai", "numpy", "scipy", "SimpleITK", "pydicom", "highdicom")  # those whose version can move a result


def provenance(card: ModelCard, *, device: str, explain: str) -> Provenance:
    """Return what made a result of this model: card, weights, versions, parameters."""
    import medimg

    return Provenance(
        model=card.name,
        model_version=card.version,
        model_summary=card.summary,
        model_licence=card.licence,
        weights_sha256={stage.weights_file: stage.weights_sha256 for stage in card.stages},
        medimg_version=medimg.__version__,
        versions={name: _version(name) for name in PACKAGES},
        parameters={"device": device, "explain": explain} | {f"{stage.task}_threshold": stage.threshold for stage in card.stages},
        research_only=card.research_only,
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
