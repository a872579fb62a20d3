"""From the logits of a lesion to the numbers of a report, by the calibration on the model's card."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from typing import TYPE_CHECKING

import numpy as np

from medimg.engine._lesions import RIM_VOXELS, grown, middle_part
from medimg.values import Part, Score

if TYPE_CHECKING:
    from medimg.engine._lesions import Lesion
    from medimg.models import ModelCard, ScoreLine, SecondOpinion, Stage

LEAST_PEAK = 1e-4  # a detector's peak of 0 or 1 would outweigh everything
USUAL_HU = -300.0  # mean density of what the default model outlines: stands for that of a lesion without an outline
TEN_MM = 10.0  # sizes are told as ln(diameter / 10 mm), which is 0 for a nodule of the usual size


def diameter_mm(lesion: Lesion, *, threshold: float) -> float:
    """Return the diameter of the sphere that has the expected volume of the outline's middle part; one voxel's at least.

    The expected volume is the sum of the voxels' probabilities of being inside, in the part and a rim around it: small
    lesions, whose border is most of them, are told apart better by it than by counting voxels above the threshold.
    """
    part = middle_part(lesion.outline, threshold=threshold)
    voxels = float(lesion.outline[grown(part, RIM_VOXELS)].sum()) if part.any() else float(lesion.outline.sum())
    return float(np.cbrt(6 / np.pi * max(voxels, 1.0) * lesion.grid.voxel_volume_mm3))


def value(line: ScoreLine, lesion: Lesion, *, threshold: float, opinion: SecondOpinion | None = None) -> float:
    """Return the score of a line, 0 to 1: the formula of `ScoreLine`.

    Where nothing was outlined, the density is the usual one and the second opinion that on the usual nodule.
    """
    size = line.size_weight * log(diameter_mm(lesion, threshold=threshold) / TEN_MM) if line.size_weight else 0.0
    second = line.opinion_weight * opinion.logit(lesion.measured) if opinion and line.opinion_weight else 0.0
    density = line.density_weight * lesion.measured.get("mean_hu", USUAL_HU) / 1000
    return sigmoid(line.slope * lesion.logits[line.name] + size + second + density + line.intercept)


def span(
    line: ScoreLine, lesion: Lesion, *, threshold: float, opinion: SecondOpinion | None = None
) -> tuple[float, float] | None:
    """Return the lowest and the highest `value` of the flips, each alone; None where there was one only.

    The mean over flips is the score; how far they lie apart says how much hangs on a detail that should not matter.
    """
    if len(lesion.each) < 2:
        return None
    values = [value(line, replace(lesion, logits=one), threshold=threshold, opinion=opinion) for one in lesion.each]
    mean = value(line, lesion, threshold=threshold, opinion=opinion)  # of the logits: between the flips' values, but for rounding
    return min(*values, mean), max(*values, mean)


def probability(stage: Stage, lesion: Lesion) -> float:
    """Combine the classifier's first logit and the detector's peak to the probability that the place is a lesion.

    sigmoid(slope * logit + peak_weight * ln(peak / (1 - peak)) + intercept), with what the card gives for the first score.
    """
    line = stage.scores[0]
    peak = float(np.clip(lesion.peak, LEAST_PEAK, 1 - LEAST_PEAK))
    weight = stage.parameters.get("peak_weight", 0.0)
    return sigmoid(line.slope * lesion.logits[line.name] + weight * log(peak / (1 - peak)) + line.intercept)


def scores(card: ModelCard, lesion: Lesion, *, calibrated: bool = True) -> tuple[Score, ...]:
    """Return every score but the first, which is the probability that the place is a lesion; the second opinion comes last.

    Without `calibrated` none is said to be: the lesion is not of those that the calibration was fitted on.
    """
    threshold, opinion = card.stage("outline").threshold, card.second_opinion
    found = []
    for line in card.stage("classify").scores[1:]:
        number = value(line, lesion, threshold=threshold, opinion=opinion)
        found.append(
            Score(
                name=line.name,
                value=number,
                meaning=line.meaning,
                calibrated=line.calibrated and calibrated,
                span=span(line, lesion, threshold=threshold, opinion=opinion),
                class_name=line.class_of(number),
            )
        )
    if opinion and lesion.measured:
        parts = opinion.contributions(lesion.measured)
        terms = tuple(
            Part(words=term.words, number=_readable(term.feature, lesion), adds=parts[term.feature]) for term in opinion.terms
        )
        found.append(Score(name=opinion.name, value=opinion.value(lesion.measured), meaning=opinion.meaning, parts=terms))
    return tuple(found)


def _readable(feature: str, lesion: Lesion) -> float:
    """Return a descriptor as a person reads it: a diameter in mm, not its logarithm."""
    number = lesion.measured[feature]
    return TEN_MM * exp(number) if feature == "log_diameter" else number


def sigmoid(logit: float) -> float:
    """Return the logistic function."""
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))
