"""Find the lungs in a CT."""

from __future__ import annotations

from medimg.preprocessing._background import require_hu
from medimg.preprocessing._chest import AIR_BELOW_HU, LEFT, RIGHT, find_lungs
from medimg.preprocessing._coarse import as_it_came, coarse
from medimg.values import Code, Mask, Volume

LABELS = {LEFT: Code("SCT", "44029006", "Left lung"), RIGHT: Code("SCT", "3341006", "Right lung")}
ENOUGH_LITRES = 0.25  # two centimetres of an adult's lungs; the lung bases in a CT of the abdomen are less


def lungs(volume: Volume) -> Mask:
    """Return the lungs of a CT: label 1 the left, 2 the right, on the volume's own grid. The mask is empty where there are none.

    Vessels, nodules and other dense parts are in, also at the wall where they are up to some 30 mm wide; trachea and main
    bronchi are out. What a consolidation or a mass of more than that takes of a lung at the wall or the hilum may be missing;
    what is surrounded by air-holding lung is in. Left and right come from the grid's LPS axes, so a wrong orientation in the
    file makes wrong sides.

    Scans may be turned any way, tilted, cropped so that skin or one lung is missing, or a slab of some slices: what is seen is
    labelled. Air around the patient, table, clothes and bowel gas are told from lung by their density and by what encloses
    them. The work is done on blocks of some 2 mm, the border on the scan's own voxels.

    Raises:
        UnsuitableScanError: the volume is not in HU.

    >>> import numpy as np
    >>> from medimg.values import Grid
    >>> chest = np.full((20, 60, 80), -1000, np.int16)  # 5 mm voxels: 10 cm of a block of a patient
    >>> chest[:, 10:50, 8:72] = 40
    >>> chest[:, 18:42, 14:34] = chest[:, 18:42, 46:66] = -850
    >>> mask = lungs(Volume(array=chest, grid=Grid.straight(chest.shape, spacing_mm=(5, 5, 5)), modality="CT", unit="HU"))
    >>> mask.array[10, 30, [24, 40, 56]], mask.labels[1].meaning
    (array([2, 0, 1], dtype=uint8), 'Left lung')
    """
    require_hu(volume, "lungs")
    small = coarse(volume)
    labels = find_lungs(small.hu, small.spacing_mm, voxel_ml=small.voxel_ml)
    return Mask(array=as_it_came(small.back(labels, air_below_hu=AIR_BELOW_HU), small, volume), grid=volume.grid, labels=LABELS)


def has_lungs(image: Volume | Mask) -> tuple[bool, str]:
    """Say whether a scan shows lungs, and in one sentence how much of each.

    `image` is a volume, or the mask that `lungs` gave (then nothing is computed twice). It shows lungs where they hold a
    quarter of a litre together: a slab of two centimetres of an adult's chest does, the lung bases in a CT of the abdomen do
    not. A volume that is not in HU shows none, and the sentence says that it cannot be told.
    """
    if isinstance(image, Mask):
        left, right = (float(image.of(label).sum()) * image.grid.voxel_volume_mm3 / 1e6 for label in (LEFT, RIGHT))
    elif image.unit != "HU":
        return False, "The values are not Hounsfield units, so it cannot be told whether the scan shows lungs."
    else:
        small = coarse(image)
        found = find_lungs(small.hu, small.spacing_mm, voxel_ml=small.voxel_ml)
        left, right = (float((found == label).sum()) * small.voxel_ml / 1000 for label in (LEFT, RIGHT))
    seen = f"{left:.2f} l of left and {right:.2f} l of right lung"
    if left + right >= ENOUGH_LITRES:
        return True, f"The scan shows {seen}."
    return False, f"The scan shows {seen}, less than the {ENOUGH_LITRES} l that a chest CT shows."
