"""Explain a finding by the name of a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg._tools import registry

if TYPE_CHECKING:
    from medimg.engine import Model
    from medimg.values import Finding, Heatmap, Volume

ROOM = "medimg.saliency"
DEFAULT_TARGET = "nodule"


def methods() -> tuple[str, ...]:
    """List the saliency methods, without importing them."""
    return registry.names(ROOM)


def explain(
    model: Model,
    volume: Volume,
    finding: Finding,
    *,
    method: str = "gradcam",
    target: str = DEFAULT_TARGET,
    center_mm: tuple[float, float, float] | None = None,
) -> Heatmap:
    """Return a heatmap of the evidence for the score `target` of `finding`, in the patient's millimetres.

    Args:
        model: the model that scored the finding: the map is computed on that very network.
        volume: the scan it was found in.
        finding: one of the prediction's findings.
        method: a file of `medimg/saliency/`.
        target: name of the score to explain.
        center_mm: middle (LPS) of the cube that is looked at; the finding's centre if not given.

    Raises:
        OptionError: method or target is unknown.
    """
    heatmap: Heatmap = registry.load(ROOM, method, option="explain").explain(
        model, volume, finding, target=target, center_mm=center_mm
    )
    return heatmap
