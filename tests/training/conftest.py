"""Training data small enough to be made on the spot."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.training import Cubes
from medimg.training.outline_and_rate import SCALES


@pytest.fixture
def small_cubes():
    """Two cubes of 50 mm, each with a ball of 10 mm in its middle that four readers rated 4 of 5."""
    distance = np.linalg.norm(np.stack(np.indices((50, 50, 50)), axis=-1) - 25.0, axis=-1)
    mask = np.stack([distance <= 5] * 2).astype(np.uint8)
    hu = np.where(mask, 50, -850).astype(np.int16)
    scales = {f"{scale}_mean": "4" for scale in ("malignancy", "calcification", *SCALES)}
    rows = []
    for number in range(2):
        place = {f"origin_{axis}": "0" for axis in "xyz"} | {f"centroid_{axis}": "25" for axis in "xyz"}
        rows.append({"series_uid": f"1.{number}", "patient_id": f"P{number}", "diameter_mm": "10", **place, **scales})
    return Cubes(hu=hu, mask=mask, rows=tuple(rows))
