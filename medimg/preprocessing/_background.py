"""What stands where nothing was measured, and what steps ask of a volume's unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg.errors import UnsuitableScanError
from medimg.values import Mask

if TYPE_CHECKING:
    from medimg.values import Volume

AIR_HU = -1024  # the lowest value of 12-bit CT, and what scanners write where there is nothing


def background(image: Volume | Mask) -> int:
    """Return the value outside of an image: -1024 for HU, 0 for everything else (no signal, no uptake, no label)."""
    return AIR_HU if not isinstance(image, Mask) and image.unit == "HU" else 0


def require_hu(volume: Volume, step: str) -> None:
    """Refuse a volume that is not in Hounsfield units, for a `step` whose numbers mean nothing else."""
    if volume.unit != "HU":
        unit = f"in {volume.unit}" if volume.unit else "without a unit"
        raise UnsuitableScanError(
            f"{step} works on Hounsfield units, and this {volume.modality or 'image'} is {unit}. Give a CT."
        )
