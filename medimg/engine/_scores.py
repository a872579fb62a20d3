"""From the logits of a lesion to the numbers of a report, by the calibration on the model's card."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np

from medimg.engine._lesions import RIM_VOXELS, grown, middle_part
from medimg.values import Score

if TYPE_CHECKING:
    from medimg.engine._lesions import Lesion
    from medimg.models import ScoreLine, Stage

LEAST_PEAK = 1e-4  # a detector's peak of 0 or 1 would outweigh everything
TEN_MM = 10.0  # sizes are told as ln(diameter / 10 mm), which is 0 for a nodule of the usual size


def diameter_mm(lesion: Lesion, *, threshold: float) -> float:
    """Return the diameter of the sphere that has the expected volume of the outline's middle part; one voxel's at least.

    The expected volume is the sum of the voxels' probabilities of being inside, in the part and a rim around it: small
    lesions, whose border is most of them, are told apart better by it than by counting voxels above the threshold.
    """
    part = middle_part(lesion.outline, threshold=threshold)
    voxels = float(lesion.outline[grown(part, RIM_VOXELS)].sum()) if part.any() else float(lesion.outline.sum())
    return float(np.cbrt(6 / np.pi * max(voxels, 1.0) * lesion.grid.voxel_volume_mm3))


def value(line: ScoreLine, lesion: Lesion, *, threshold: float) -> float:
    """Return sigmoid(slope * logit + size_weight * ln(diameter / 10 mm) + intercept)."""
    size = line.size_weight * log(diameter_mm(lesion, threshold=threshold) / TEN_MM) if line.size_weight else 0.0
    return sigmoid(line.slope * lesion.logits[line.name] + size + line.intercept)


def probability(stage: Stage, lesion: Lesion) -> float:
    """Combine the classifier's first logit and the detector's peak to the probability that the place is a lesion.

    sigmoid(slope * logit + peak_weight * ln(peak / (1 - peak)) + intercept), with what the card gives for the first score.
    """
    line = stage.scores[0]
    peak = float(np.clip(lesion.peak, LEAST_PEAK, 1 - LEAST_PEAK))
    weight = stage.parameters.get("peak_weight", 0.0)
    return sigmoid(line.slope * lesion.logits[line.name] + weight * log(peak / (1 - peak)) + line.intercept)


def scores(stage: Stage, lesion: Lesion, *, threshold: float) -> tuple[Score, ...]:
    """Return every score but the first, which is the probability that the place is a lesion."""
    return tuple(
        Score(
            name=line.name,
            value=value(line, lesion, threshold=threshold),
            meaning=line.meaning,
            calibrated=line.calibrated,
        )
        for line in stage.scores[1:]
    )


def sigmoid(logit: float) -> float:
    """Return the logistic function."""
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))
