"""Find the patient in a CT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg.preprocessing._background import require_hu
from medimg.preprocessing._chest import body_of
from medimg.preprocessing._coarse import as_it_came, coarse
from medimg.preprocessing._shapes import without_holes
from medimg.values import Code, Mask

if TYPE_CHECKING:
    from medimg.values import Volume

LABELS = {1: Code("SCT", "38266002", "Entire body")}


def body(volume: Volume) -> Mask:
    """Return the patient's body in a CT, with the air inside and without table and outside air, on the volume's own grid."""
    import numpy as np

    require_hu(volume, "body")
    small = coarse(volume)
    whole = without_holes(body_of(small.hu)).astype(np.uint8)
    return Mask(array=as_it_came(small.back(whole), small, volume), grid=volume.grid, labels=LABELS)
