"""What a file of this room has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from medimg.engine import Model
    from medimg.values import Finding, Heatmap, Volume


class Method(Protocol):
    """A saliency method."""

    def explain(
        self,
        model: Model,
        volume: Volume,
        finding: Finding,
        *,
        target: str = ...,
        center_mm: tuple[float, float, float] | None = ...,
    ) -> Heatmap:
        """Return where the evidence for the score `target` of `finding` lies."""
        ...
