"""What a model takes: a scan outside of its card's limits is refused in words before any network looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import UnsuitableScanError
from medimg.models import fit_grid

if TYPE_CHECKING:
    from medimg.models import ModelCard
    from medimg.values import Mask, Volume

LEAST_AIR_HU = -300.0  # every CT of a chest has voxels far below it, in the lungs and around the patient
TISSUE_HU, LEAST_TISSUE = (-150.0, 150.0), 0.03  # fat, muscle and blood are a tenth of any chest, however it was cropped
LEAST_LUNG_LITRES = 0.05  # a slab of 2.5 cm through both lungs has 0.3; bowel gas that passes for lung has less
GAS_HU, MOST_GAS = -970.0, 0.1  # lungs have 0.1 to 5 % of their voxels below; bowel 20 %
LUNG_HU, LEAST_LUNG = (-960.0, -600.0), 0.45  # lungs have 75 to 90 % of their voxels between; bowel 30 %
CUT_SHARE = 0.05  # of the lungs' largest section; less at the scan's face is a tip that ends there
FACES = {"L": "left side", "R": "right side", "P": "back", "A": "front", "S": "upper end", "I": "lower end"}
OPPOSITE = {"L": "R", "R": "L", "P": "A", "A": "P", "S": "I", "I": "S"}


def require_input(card: ModelCard, volume: Volume, *, unsaid: bool = False) -> None:
    """Refuse a volume that the card's limits exclude; `unsaid`: its file did not say what kind of scan it is.

    Raises:
        UnsuitableScanError: with the reason and the remedy.
    """
    limits = card.input
    if volume.modality and volume.modality != limits.modality:
        raise UnsuitableScanError(
            f"This is {volume.modality}, and {card.name} reads {limits.modality}. Give a {limits.modality} scan."
        )
    reason = fit_grid(card, volume.grid)
    if reason:
        raise UnsuitableScanError(f"{reason} Give another reconstruction, or another model (medimg models list).")
    if limits.modality != "CT":
        return
    part = volume.array[:: max(1, volume.shape[0] // 16)]
    if part.min() > LEAST_AIR_HU:
        raise UnsuitableScanError("No voxel of this scan is air, so its values are not HU. Give a CT whose values are HU.")
    tissue = float(((part > TISSUE_HU[0]) & (part < TISSUE_HU[1])).mean())
    if unsaid and tissue < LEAST_TISSUE:
        raise UnsuitableScanError(
            f"The file does not say what kind of scan it is, and too few of its voxels ({tissue:.1%}) are soft tissue. "
            f"Say it with --modality {limits.modality} (modality={limits.modality!r}) if it is one."
        )


def require_lung(card: ModelCard, volume: Volume, region: Mask) -> None:
    """Refuse a scan whose "lungs" are gas and dense content, as bowel is, with little of what lung is made of.

    Raises:
        UnsuitableScanError: with the reason and the remedy.
    """
    if card.input.region != "lungs":
        return
    inside = volume.array[region.array > 0]
    gas = float((inside < GAS_HU).mean())
    lung = float(((inside > LUNG_HU[0]) & (inside < LUNG_HU[1])).mean())
    if gas > MOST_GAS and lung < LEAST_LUNG:
        raise UnsuitableScanError(
            f"What looks like lungs in this scan holds gas and dense content as bowel does ({lung:.0%} of it has the density of "
            f"lung), and {card.name} reads lungs only. Give a scan of the chest, or another model (medimg models list)."
        )


def require_region(card: ModelCard, region: Mask) -> str:
    """Refuse a scan that does not show the card's region; say where the region goes on beyond the scan, or "".

    Raises:
        UnsuitableScanError: with the reason and the remedy.
    """
    litres = np.count_nonzero(region.array) * region.grid.voxel_volume_mm3 / 1e6
    if litres < LEAST_LUNG_LITRES:
        raise UnsuitableScanError(
            f"This scan shows no {card.input.region} ({litres:.2f} litres found), and {card.name} reads those only. "
            "Give a scan of the chest, or another model (medimg models list)."
        )
    cut = []
    for axis, end in enumerate(region.grid.axis_codes):
        profile = np.count_nonzero(region.array, axis=tuple(other for other in range(3) if other != axis))
        for count, face in ((profile[0], OPPOSITE[end]), (profile[-1], end)):
            if count > CUT_SHARE * profile.max():
                cut.append(FACES[face])
    if not cut:
        return ""
    return f"The {card.input.region} reach the {' and the '.join(sorted(cut))} of the scan: what lies beyond was not evaluated."
