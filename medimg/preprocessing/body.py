"""Find the patient in a CT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.preprocessing._background import require_hu
from medimg.preprocessing._chest import body_of, enclosed, inner_air
from medimg.preprocessing._coarse import as_it_came, coarse
from medimg.preprocessing._shapes import dilated, eroded, without_holes
from medimg.values import Code, Mask

if TYPE_CHECKING:
    from medimg.values import Volume

LABELS = {1: Code("SCT", "38266002", "Entire body")}
OPEN_MM = 4.0  # bolts and rails of the table, folds of cloth that touch the skin


def body(volume: Volume) -> Mask:
    """Return the patient's body in a CT (label 1), with the air inside, without table and outside air, on the volume's own grid.

    Arms are in where they are seen. What sticks out by less than 8 mm may be missing (the rim of an ear). The mask is empty where
    there is no body.

    Raises:
        UnsuitableScanError: the volume is not in HU.

    >>> from medimg.values import Grid, Volume
    >>> array = np.full((6, 30, 30), -1000, np.int16)
    >>> array[:, 5:25, 5:25] = 40
    >>> array[:, 10:15, 10:15] = -1000  # air inside
    >>> mask = body(Volume(array=array, grid=Grid.straight(array.shape, spacing_mm=(5, 5, 5)), modality="CT", unit="HU"))
    >>> mask.array[3, 12, [0, 7, 12]]
    array([0, 1, 1], dtype=uint8)
    """
    require_hu(volume, "body")
    small = coarse(volume)
    tissue = body_of(small.hu)
    around, _ = enclosed(tissue)
    air = inner_air(small.hu, around, small.spacing_mm) & (around >= 3)  # the foam of a table has the body on two sides at most
    inside = without_holes(tissue | air)
    whole = dilated(eroded(inside, OPEN_MM, small.spacing_mm), OPEN_MM, small.spacing_mm) & inside
    labels = small.back(whole.astype(np.uint8))
    return Mask(array=as_it_came(labels, small, volume), grid=volume.grid, labels=LABELS)
