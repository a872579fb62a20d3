"""From the logits of a lesion to the numbers of a report, by the calibration on the model's card."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np

from medimg.values import Score

if TYPE_CHECKING:
    from medimg.engine._lesions import Lesion
    from medimg.models import ScoreLine, Stage

LEAST_PEAK = 1e-4  # a detector's peak of 0 or 1 would outweigh everything


def value(line: ScoreLine, lesion: Lesion) -> float:
    """Return sigmoid(slope * logit + intercept)."""
    return sigmoid(line.slope * lesion.logits[line.name] + line.intercept)


def probability(stage: Stage, lesion: Lesion) -> float:
    """Combine the classifier's first logit and the detector's peak to the probability that the place is a lesion.

    sigmoid(slope * logit + peak_weight * ln(peak / (1 - peak)) + intercept), with what the card gives for the first score.
    """
    line = stage.scores[0]
    peak = float(np.clip(lesion.peak, LEAST_PEAK, 1 - LEAST_PEAK))
    weight = stage.parameters.get("peak_weight", 0.0)
    return sigmoid(line.slope * lesion.logits[line.name] + weight * log(peak / (1 - peak)) + line.intercept)


def scores(stage: Stage, lesion: Lesion) -> tuple[Score, ...]:
    """Return every score but the first, which is the probability that the place is a lesion."""
    return tuple(
        Score(name=line.name, value=value(line, lesion), meaning=line.meaning, calibrated=line.calibrated)
        for line in stage.scores[1:]
    )


def sigmoid(logit: float) -> float:
    """Return the logistic function."""
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))
