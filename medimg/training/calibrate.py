"""Fit what a card says about its scores on the validation patients: from logits to numbers that mean what they say."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.files import whole_file
from medimg.engine import Model, _scores
from medimg.models.card import CARD_FILE
from medimg.training._proposals import NONE, cube_volume, proposals
from medimg.training.chests import TARGET
from medimg.training.evaluate_chests import mark_of
from medimg.training.figures import calcification_classes, texture_classes
from medimg.training.outline_and_rate import RATINGS, soft_ratings
from medimg.training.second_opinion import cross_validated_auroc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from medimg.training.chests import Chest
    from medimg.training.cubes import Cubes

LEAST_AUROC, MOST_AUROC = 0.5, 0.999  # between them an AUROC says how sure to be
# What 1000 HU of mean density count beside 1 of the network's texture logit. Cross-validated by patient, any part from 2 to 8
# tells solid, part-solid and ground glass about alike, and better than none; benchmarks/texture.py prints it.
DENSITY_PART = 4.0
LEAST_OF_CLASS = 5  # nodules that a cut can be fitted to
CLASSES = {  # of a score: the column of the ratings, their classes, how many
    "texture": ("texture_mean", texture_classes, 3),
    "calcification": ("calcification_mean", calcification_classes, 2),
}
SHRINK = 1e-3  # L2 on the weights: without it a perfect split sends them to infinity


@dataclass(frozen=True, kw_only=True)
class Line:
    """sigmoid(weights @ features + intercept), and the `cuts` that part its values into classes (none: it is not parted)."""

    weights: tuple[float, ...]
    intercept: float
    cuts: tuple[float, ...] = ()

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value for each row of `features`."""
        result: NDArray[np.float64] = 1 / (1 + np.exp(-(features @ np.array(self.weights) + self.intercept)))
        return result


def fit_line(features: NDArray[np.float64], target: NDArray[np.float64]) -> Line:
    """Fit a logistic line to targets from 0 to 1 (cross-entropy, a trace of L2)."""
    from scipy.optimize import minimize

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit = features @ values[:-1] + values[-1]
        entropy = np.logaddexp(0, logit) - target * logit
        slope = (1 / (1 + np.exp(-logit)) - target) / len(target)
        gradient = np.append(features.T @ slope, slope.sum()) + 2 * SHRINK * np.append(values[:-1], 0)
        return float(entropy.mean() + SHRINK * (values[:-1] ** 2).sum()), gradient

    count = features.shape[1]
    bounds = [(0.0, None)] * count + [(None, None)]  # more of what speaks for it never counts against it
    best = minimize(loss, np.append(np.ones(count), 0.0), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Line(weights=tuple(best[:-1].tolist()), intercept=float(best[-1]))


def equal_line(features: NDArray[np.float64], target: NDArray[np.float64]) -> Line:
    """Fit a line on which every feature has the same say: each counts in its own standard deviations, only their sum is fitted.

    A network is surer of what it learnt by heart than of what it sees for the first time, so that weights fitted on its training
    data would leave a second opinion nothing to say; on the few validation nodules they would be luck. Equal parts need no fit.
    """
    spread = features.std(axis=0)
    line = fit_line((features / spread).sum(axis=1, keepdims=True), target)
    return Line(weights=tuple((line.weights[0] / spread).tolist()), intercept=line.intercept)


def density_line(logit: NDArray[np.float64], mean_hu: NDArray[np.float64], target: NDArray[np.float64]) -> Line:
    """Fit a line on a network's logit and on the density of what it outlined, 1000 HU of it as `DENSITY_PART` of the logit.

    Fitted freely on the nodules that the network learnt from, density would count for nothing, as in `equal_line`. The weights
    are for the logit and for thousands of HU.
    """
    line = fit_line((logit + DENSITY_PART * mean_hu / 1000)[:, None], target)
    return Line(weights=(line.weights[0], DENSITY_PART * line.weights[0]), intercept=line.intercept)


def fit_cuts(
    line: Line, features: NDArray[np.float64], classes: NDArray[np.int64], *, is_balanced: bool = True
) -> tuple[float, ...]:
    """Return the values of `line` that part classes 0, 1, 2 ... of growing value, one cut fewer than there are classes.

    A cut lies where a logistic regression of its two neighbours alone finds both equally likely, each class counting the same
    however few there are of it: the rest would draw it to the side of the many. Not `is_balanced`: each case counts the same, so
    that few are taken for the rarer class who are not of it. Without `LEAST_OF_CLASS` of each, or where a
    class does not lie above the one before, there are none.
    """
    from sklearn.linear_model import LogisticRegression

    logit = (features @ np.array(line.weights) + line.intercept)[:, None]
    counts = np.bincount(classes)
    if len(counts) < 2 or counts.min() < LEAST_OF_CLASS:
        return ()
    cuts: list[float] = []
    for lower in range(len(counts) - 1):
        pair = (classes == lower) | (classes == lower + 1)
        fitted = LogisticRegression(C=100, class_weight="balanced" if is_balanced else None).fit(
            logit[pair], classes[pair] > lower
        )
        (slope,), (intercept,) = fitted.coef_[0], fitted.intercept_
        if slope <= 0:
            return ()
        cuts.append(_scores.sigmoid(-intercept / slope))
    return tuple(cuts) if cuts == sorted(set(cuts)) else ()


def sober_line(line: Line, features: NDArray[np.float64], target: NDArray[np.float64], *, auroc: float, share: float) -> Line:
    """Return a line as sure as an AUROC of `auroc` allows, whose mean is right where `share` of cases are positive.

    A small sample that happens to be easy makes a fit too sure. Where a feature is normal in both classes with one spread, the
    slope of its calibrated logit is the distance of the classes in that spread, which is the root of 2 times the normal quantile
    of the AUROC (the binormal model, Hanley, Med Decis Making 1988;8:197), so that the slope shrinks by the ratio of those
    quantiles. It is never made steeper.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm
    from sklearn.metrics import roc_auc_score

    logit = features @ np.array(line.weights)
    seen = min(float(roc_auc_score(target, logit)), MOST_AUROC)
    factor = min(float(norm.ppf(auroc) / norm.ppf(seen)), 1.0) if seen > auroc > LEAST_AUROC else 1.0
    weight = np.where(target > 0, share / target.mean(), (1 - share) / (1 - target.mean()))

    def off(intercept: float) -> float:
        return float((weight * (1 / (1 + np.exp(-(factor * logit + intercept))) - target)).sum())

    return Line(weights=tuple(factor * value for value in line.weights), intercept=float(brentq(off, -50, 50)))


def rated_lesions(model: Model, cubes: Cubes) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return what the model says of each nodule from its middle.

    Returns:
        The network's rating logits (columns as `RATINGS`); the logit of the second opinion on its outline, without one on the
        card ln(diameter / 10 mm); and the outline's mean HU, the usual density where nothing was outlined.
    """
    threshold, opinion = model.card.stage("outline").threshold, model.card.second_opinion
    logits, sizes, densities = [], [], []
    for number in range(len(cubes.rows)):
        volume = cube_volume(cubes, number)
        center = volume.grid.to_mm(np.round(cubes.centroids[number]))
        lesion = model.lesion_at(volume, tuple(center.tolist()))
        logits.append([lesion.logits[name] for name in RATINGS])
        size = np.log(_scores.diameter_mm(lesion, threshold=threshold) / _scores.TEN_MM)
        sizes.append(opinion.logit(lesion.measured) if opinion else size)
        densities.append(lesion.measured.get("mean_hu", _scores.USUAL_HU))
    return np.array(logits), np.array(sizes), np.array(densities)


def candidates(model: Model, cubes: Cubes, chests: Iterable[Chest]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return for every place that the detector proposes (nodule logit, peak logit), and whether it is a marked nodule.

    Places that are neither, such as marks of one or two readers, are left out.
    """
    rows: list[tuple[float, float]] = []
    hits: list[bool] = []
    for number in range(len(cubes.rows)):
        for lesion, hit in proposals(model, cubes, number):
            rows.append(_features(lesion))
            hits.append(hit != NONE)
    lenient = Model(_without_operating_point(model), device=model.device)
    for chest in chests:
        for lesion in lenient.lesions(chest.volume):
            center = lesion.grid.to_mm(np.array(lesion.grid.shape) // 2)
            mark = mark_of(tuple(center.tolist()), chest.marks)
            if mark is None or chest.marks[mark].kind == TARGET:
                rows.append(_features(lesion))
                hits.append(mark is not None)
    return np.array(rows), np.array(hits)


def calibrate(
    model: Model, cubes: Cubes, chests: Iterable[Chest], *, everyone: Sequence[Cubes] = (), only: str = ""
) -> dict[str, Line]:
    """Fit every score of the card on validation cubes and chests, or `only` one.

    `suspicion` is fitted to whether the mean rating is above 3, the others to the mean ratings; it weighs the second opinion as
    the network's logit, `texture` the density of the outline, and `nodule` the detector's peak. With the cubes of `everyone`
    (training and validation) suspicion is no surer than what size, density and shape tell of them in cross-validation by patient,
    and its mean is right for their share; and the cuts of texture and calcification are fitted on all of them: few are not solid.
    """
    wanted = [line for line in model.card.stage("classify").scores[1:] if only in ("", line.name)]
    logits, sizes, densities = rated_lesions(model, cubes) if wanted else (np.zeros((0, len(RATINGS))), np.zeros(0), np.zeros(0))
    ratings = soft_ratings(cubes)
    others = [_Rated(model, part) for part in everyone if part is not cubes]
    lines = {}
    for line in wanted:
        column = RATINGS.index(line.name)
        features = logits[:, [column]]
        target = ratings[:, column - 1].astype(float)
        known = ~np.isnan(target)
        if line.name == "suspicion":
            target = cubes.numbers("malignant")
            known = ~np.isnan(target)
            if len(set(target[known])) < 2:
                continue
            both = np.column_stack([features, sizes])[known]
            lines[line.name] = equal_line(both, target[known])
            auroc = cross_validated_auroc(everyone) if everyone else float("nan")
            if not np.isnan(auroc):
                share = float(np.nanmean(np.concatenate([part.numbers("malignant") for part in everyone])))
                lines[line.name] = sober_line(lines[line.name], both, target[known], auroc=auroc, share=share)
        elif line.name == "texture" and known.any():
            fitted = density_line(features[known, 0], densities[known], target[known])
            seen = np.column_stack([features[:, 0], densities / 1000])
            lines[line.name] = replace(fitted, cuts=_cuts_of_all(fitted, cubes, seen, others, name="texture"))
        elif line.name == "calcification" and known.any():
            fitted = fit_line(features[known], target[known])
            lines[line.name] = replace(fitted, cuts=_cuts_of_all(fitted, cubes, features, others, name="calcification"))
        elif known.any():
            lines[line.name] = fit_line(features[known], target[known])
    if only not in ("", "nodule"):
        return lines
    features, hits = candidates(model, cubes, chests)
    if hits.any() and not hits.all():  # else there is nothing to tell apart, and the logit stands as it is
        lines["nodule"] = fit_line(features, hits.astype(float))
    return lines


class _Rated:
    """Cubes, and what the model says of them once somebody asks."""

    def __init__(self, model: Model, cubes: Cubes) -> None:
        self.model, self.cubes = model, cubes

    @cached_property
    def lesions(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """What `rated_lesions` gives."""
        return rated_lesions(self.model, self.cubes)


def _cuts_of_all(
    line: Line, cubes: Cubes, features: NDArray[np.float64], others: Sequence[_Rated], *, name: str
) -> tuple[float, ...]:
    """Return the cuts of texture (three classes) or calcification (two) on `cubes`, whose features are known, and `others`.

    Calcium speaks for a nodule to be benign, so that none is taken for calcified for the sake of a balance of the classes.
    """
    mean, classes_of, count = CLASSES[name]
    rating = np.concatenate([part.numbers(mean) for part in (cubes, *(other.cubes for other in others))])
    known = ~np.isnan(rating)
    classes = classes_of(rating[known])
    if np.bincount(classes, minlength=count).min() < LEAST_OF_CLASS:
        return ()  # before the networks look at all the others for nothing
    column, more = RATINGS.index(name), []
    for logits, _, densities in (other.lesions for other in others):
        more.append(np.column_stack([logits[:, column], densities / 1000][: features.shape[1]]))
    return fit_cuts(line, np.concatenate([features, *more])[known], classes, is_balanced=name == "texture")


def write_lines(folder: Path, lines: dict[str, Line]) -> None:
    """Put fitted lines into the card of a model's folder; cuts of a line that is written anew go, unless it brings its own."""
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    for name, line in lines.items():
        values = {"slope": line.weights[0], "intercept": line.intercept}
        if name == "nodule":
            text = re.sub(r"peak_weight = [-\d.]+", f"peak_weight = {line.weights[1]:.4f}", text)
        elif name == "texture":
            values["density_weight"] = line.weights[1]
        elif len(line.weights) > 1:
            values["opinion_weight" if "opinion_weight" in text else "size_weight"] = line.weights[1]
        row = re.search(rf'^.*\{{ name = "{name}", .*$', text, re.MULTILINE)
        if row is None:
            continue
        fresh = row[0]
        for key, value in values.items():
            fresh, done = re.subn(rf"\b{key} = [-\d.]+", f"{key} = {value:.4f}", fresh)
            if not done:
                fresh = fresh.replace(", intercept", f", {key} = {value:.4f}, intercept")
        fresh = re.sub(r", cuts = \[[^\]]*\]", "", fresh)
        if line.cuts:
            fresh = re.sub(r" \},?$", rf", cuts = [{', '.join(f'{cut:.4f}' for cut in line.cuts)}]\g<0>", fresh)
        if name != "nodule":  # its figures depend on how many candidates are nodules, which differs from patient to patient
            fresh = fresh.replace("calibrated = false", "calibrated = true")
        text = text.replace(row[0], fresh)
    with whole_file(folder / CARD_FILE) as partial:
        partial.write_text(text, encoding="utf-8")


def _features(lesion: Any) -> tuple[float, float]:
    peak = float(np.clip(lesion.peak, _scores.LEAST_PEAK, 1 - _scores.LEAST_PEAK))
    return lesion.logits["nodule"], float(np.log(peak / (1 - peak)))


def _without_operating_point(model: Model) -> Any:
    stages = tuple(
        replace(stage, threshold=0.0, parameters=stage.parameters | {"first_look_least": 0.0})
        if stage.task == "classify"
        else stage
        for stage in model.card.stages
    )
    return replace(model.package, card=replace(model.card, stages=stages))
