"""From lesions as the networks see them to findings on the scan's own grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medimg._tools.identity import uid_from
from medimg.engine import _scores
from medimg.engine._drawn import draw, without_doubles
from medimg.engine._lesions import middle_part
from medimg.engine._remarks import remarks_on
from medimg.measures import center_mm, measure
from medimg.values import Code, Finding, Mask, Skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medimg.engine._lesions import Lesion
    from medimg.models import ModelCard
    from medimg.values import Measures, Score, Volume

SIDES = {1: Code("SCT", "7771000", "Left"), 2: Code("SCT", "24028007", "Right")}
SIDE_REACH_MM = 15.0  # a finding at the wall belongs to the lung this near to it


def findings_of(
    card: ModelCard,
    volume: Volume,
    region: Mask,
    kept: Sequence[tuple[float, Lesion]],
    *,
    larger: Sequence[tuple[float, Lesion]] = (),
) -> tuple[tuple[Finding, ...], Mask, tuple[Skipped, ...]]:
    """Return findings (the most suspicious first), their mask on the volume's grid, and what was too small to be one.

    `kept` are probabilities and lesions, `larger` those seen on coarser voxels, the coarsest first. Of two outlines of one lesion
    the surer stays; voxels that two claim are the surer's. A lesion seen on coarser voxels stays where what was seen finer of it
    are pieces; where it is there finer as a whole, that stays. What is larger than the card's `larger.over_mm` is of its kind.
    """
    threshold = card.stage("outline").threshold
    finer, coarser = (
        [draw(volume.grid, probability, lesion, threshold=threshold) for probability, lesion in seen]
        for seen in (sorted(kept, key=lambda item: -item[0]), larger)
    )
    array = np.zeros(volume.shape, np.uint16 if len(finer) + len(coarser) > 255 else np.uint8)
    least_voxels = np.pi / 6 * card.diameter_range_mm[0] ** 3 / volume.grid.voxel_volume_mm3
    stays, small = without_doubles(finer, coarser, array, least_voxels=least_voxels)
    drawn = Mask(array=array, grid=volume.grid)
    rows = []
    for label, one in enumerate(stays, start=1):
        measures = measure(volume, drawn, label=label)
        kind = kind_of(card, measures)
        rows.append((label, one, measures, kind, _scores.scores(card, one.lesion, calibrated=kind == card.finding_kind)))
    rows.sort(key=lambda row: (-(row[4][0].value if row[4] else row[1].probability), row[0]))
    order = np.zeros(len(rows) + 1, array.dtype)
    order[[label for label, *_ in rows]] = np.arange(1, len(rows) + 1)
    kinds = (kind for _, _, _, kind, _ in rows)
    mask = Mask(array=order[array], grid=volume.grid, labels=dict(enumerate(kinds, start=1)))
    findings = tuple(
        _spanned(
            _finding(card, volume, region, mask, measures, number=number, probability=one.probability, scores=scores),
            one.lesion,
            threshold=threshold,
        )
        for number, (_, one, measures, _, scores) in enumerate(rows, start=1)
    )
    return findings, mask, _too_small(card, small)


def kind_of(card: ModelCard, measures: Measures) -> Code:
    """Return what a lesion is called: by its mean diameter, where the card has another kind for what is larger."""
    is_larger = card.larger is not None and measures.mean_diameter_mm > card.larger.over_mm
    return card.larger.kind if card.larger and is_larger else card.finding_kind


def _finding(
    card: ModelCard,
    volume: Volume,
    region: Mask,
    mask: Mask,
    measures: Measures,
    *,
    number: int,
    probability: float,
    scores: tuple[Score, ...],
) -> Finding:
    center = center_mm(mask, label=number)
    weights = (stage.weights_sha256 for stage in card.stages)
    return Finding(
        id=number,
        center_mm=center,
        measures=measures,
        kind=mask.labels[number],
        site=card.finding_site,
        laterality=_side(region, center, reach_mm=max(SIDE_REACH_MM, measures.longest_diameter_mm)),
        detection_probability=probability,
        scores=scores,
        tracking_uid=uid_from(card.name, card.version, *weights, *np.round(center, 3), volume.array.shape),
        remarks=remarks_on(card, mask, measures, label=number),
    )


def _spanned(finding: Finding, lesion: Lesion, *, threshold: float) -> Finding:
    """Add what the volume would be by each flip's outline alone, as a share of the mean outline's, which the finding measures."""
    drawn = np.count_nonzero(middle_part(lesion.outline, threshold=threshold)) * lesion.grid.voxel_volume_mm3
    if len(lesion.volumes_mm3) < 2 or not drawn:
        return finding
    shares = [1.0, *(volume_mm3 / drawn for volume_mm3 in lesion.volumes_mm3)]
    whole = finding.measures.volume_mm3
    return replace(finding, volume_span_mm3=(whole * min(shares), whole * max(shares)))


def _too_small(card: ModelCard, count: int) -> tuple[Skipped, ...]:
    if not count:
        return ()
    least = card.diameter_range_mm[0]
    places = "1 place is" if count == 1 else f"{count} places are"
    return (
        Skipped(what="too small", reason=f"{places} smaller than a sphere of {least:g} mm, for which the model was not made."),
    )


def _side(region: Mask, center: tuple[float, float, float], *, reach_mm: float) -> Code | None:
    """Return the lung of which there is more within a reach of a point; None if there is none, or as much of both."""
    index = region.grid.to_index(center)
    reach = np.ceil(reach_mm / np.array(region.grid.spacing_mm)).astype(int)
    low = np.clip(np.round(index).astype(int) - reach, 0, np.array(region.shape) - 1)
    high = np.clip(np.round(index).astype(int) + reach + 1, 1, region.shape)
    counts = np.bincount(region.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].ravel(), minlength=3)[1:3]
    if counts.sum() == 0 or counts[0] == counts[1]:
        return None
    return SIDES[int(np.argmax(counts)) + 1]
