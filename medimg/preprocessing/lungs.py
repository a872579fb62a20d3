"""Find the lungs in a CT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.preprocessing._background import require_hu
from medimg.preprocessing._chest import AIR_BELOW_HU, LEFT, RIGHT, find_lungs
from medimg.preprocessing._coarse import as_it_came, coarse
from medimg.values import Code, Mask, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = {LEFT: Code("SCT", "44029006", "Left lung"), RIGHT: Code("SCT", "3341006", "Right lung")}
ENOUGH_LITRES = 0.1  # a tenth of a small child's lungs, or one centimetre of an adult's


def lungs(volume: Volume) -> Mask:
    """Return the lungs of a CT: label 1 the left, 2 the right, on the volume's own grid. The mask is empty where there are none."""
    require_hu(volume, "lungs")
    small = coarse(volume)
    labels = find_lungs(small.hu, small.spacing_mm, voxel_ml=small.voxel_ml)
    return Mask(array=as_it_came(small.back(labels, air_below_hu=AIR_BELOW_HU), small, volume), grid=volume.grid, labels=LABELS)


def has_lungs(image: Volume | Mask) -> tuple[bool, str]:
    """Say whether a CT (or a mask of `lungs`) shows lungs, and in one sentence why."""
    if isinstance(image, Mask):
        litres = [float(image.of(label).sum()) * image.grid.voxel_volume_mm3 / 1e6 for label in (LEFT, RIGHT)]
    elif image.unit != "HU":
        return False, "The values are not Hounsfield units, so lungs cannot be told."
    else:
        small = coarse(image)
        found: NDArray[np.uint8] = find_lungs(small.hu, small.spacing_mm, voxel_ml=small.voxel_ml)
        litres = [float((found == label).sum()) * small.voxel_ml / 1000 for label in (LEFT, RIGHT)]
    left, right = litres
    seen = f"{left:.2f} l of left and {right:.2f} l of right lung"
    if left + right >= ENOUGH_LITRES:
        return True, f"The scan shows {seen}."
    return False, f"The scan shows {seen}, less than {ENOUGH_LITRES} l together."
