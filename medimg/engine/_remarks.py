"""What the reader of a report should know of a finding besides its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from medimg.models import ModelCard
    from medimg.values import Mask, Measures

CUT = "It is cut by the edge of the scan: it is at least as large as measured."


def sizes_of(card: ModelCard) -> str:
    """Return the sentence on what a model does not look for: without it, "no finding" beside a large mass would mislead."""
    least, most = card.diameter_range_mm
    if card.larger is None:
        return f"{card.name} was made for lesions of {least:g} to {most:g} mm: larger masses, and smaller spots, it may not see."
    return (
        f"{card.name} was trained on lesions of {least:g} to {most:g} mm: larger masses, which it looks for on coarser voxels, "
        "it may miss, and smaller spots it may not see."
    )


def remarks_on(card: ModelCard, mask: Mask, measures: Measures, *, label: int) -> tuple[str, ...]:
    """Return sentences on one label of `mask`: beyond the model's range of sizes, cut by the scan's edge."""
    found = []
    least, most = card.diameter_range_mm
    if measures.mean_diameter_mm > most:
        found.append(f"It measures more than {most:g} mm, such as the model did not learn from: outline and scores are rough.")
    elif measures.longest_diameter_mm < least:
        found.append(f"It is shorter than {least:g} mm, for which the model was not made: scores are rough.")
    box = mask.box(label)
    if box and any(side.start == 0 or side.stop == size for side, size in zip(box, mask.shape, strict=True)):
        found.append(CUT)
    return tuple(found)


def equal_volume_diameter_mm(volume_mm3: float) -> float:
    """Return the diameter of the sphere of a volume."""
    return float(np.cbrt(6 / np.pi * volume_mm3))
