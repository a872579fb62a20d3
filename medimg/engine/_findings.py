"""From lesions as the networks see them to findings on the scan's own grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medimg._tools.identity import uid_from
from medimg.engine import _scores
from medimg.engine._lesions import RIM_VOXELS, grown, middle_part
from medimg.engine._remarks import equal_volume_diameter_mm, remarks_on
from medimg.engine.cubes import box_under, sample_array
from medimg.measures import center_mm, measure
from medimg.values import Code, Finding, Mask, Skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medimg.engine._lesions import Lesion
    from medimg.models import ModelCard
    from medimg.values import Grid, Score, Volume

SIDES = {1: Code("SCT", "7771000", "Left"), 2: Code("SCT", "24028007", "Right")}
SAME_LESION = 0.3  # share of an outline that lies in a surer one's: from here on it is the same lesion once more
SIDE_REACH_MM = 15.0  # a finding at the wall belongs to the lung this near to it


def findings_of(
    card: ModelCard, volume: Volume, region: Mask, kept: Sequence[tuple[float, Lesion]]
) -> tuple[tuple[Finding, ...], Mask, tuple[Skipped, ...]]:
    """Return findings (the most suspicious first), their mask on the volume's grid, and what was too small to be one.

    `kept` are probabilities and lesions. Of two outlines of one lesion the surer stays; voxels that two claim are the surer's.
    """
    stage = card.stage("outline")
    array = np.zeros(volume.shape, np.uint16 if len(kept) > 255 else np.uint8)
    scored: list[tuple[int, float, tuple[Score, ...], Lesion]] = []
    small = 0
    for probability, lesion in sorted(kept, key=lambda item: -item[0]):
        place = box_under(volume.grid, lesion.grid)
        part = onto(volume.grid, place, lesion, threshold=stage.threshold)
        size, taken = np.count_nonzero(part), np.count_nonzero(part & (array[place] > 0))
        if size == 0 or taken > SAME_LESION * size:
            continue
        if equal_volume_diameter_mm(size * volume.grid.voxel_volume_mm3) < card.diameter_range_mm[0]:
            small += 1
            continue
        label = len(scored) + 1
        array[place][part & (array[place] == 0)] = label
        scored.append((label, probability, _scores.scores(card, lesion), lesion))
    scored.sort(key=lambda item: (-(item[2][0].value if item[2] else item[1]), item[0]))
    order = np.zeros(len(scored) + 1, array.dtype)
    order[[label for label, *_ in scored]] = np.arange(1, len(scored) + 1)
    labels = {number + 1: card.finding_kind for number in range(len(scored))}
    mask = Mask(array=order[array], grid=volume.grid, labels=labels)
    findings = tuple(
        _spanned(_finding(card, volume, region, mask, number, probability, scores), lesion, threshold=stage.threshold)
        for number, (_, probability, scores, lesion) in enumerate(scored, start=1)
    )
    return findings, mask, _too_small(card, small)


def _finding(
    card: ModelCard, volume: Volume, region: Mask, mask: Mask, number: int, probability: float, scores: tuple[Score, ...]
) -> Finding:
    center, measures = center_mm(mask, label=number), measure(volume, mask, label=number)
    weights = (stage.weights_sha256 for stage in card.stages)
    return Finding(
        id=number,
        center_mm=center,
        measures=measures,
        kind=card.finding_kind,
        site=card.finding_site,
        laterality=_side(region, center),
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


def onto(native: Grid, place: tuple[slice, slice, slice], lesion: Lesion, *, threshold: float) -> NDArray[np.bool_]:
    """Return the outline's middle part on the box `place` of the native grid, cut at `threshold`; its centre at least."""
    shape = tuple(axis.stop - axis.start for axis in place)
    if min(shape) == 0:
        return np.zeros(shape, bool)
    part = middle_part(lesion.outline, threshold=threshold)
    if not part.any():
        return np.zeros(shape, bool)
    # The rim below the threshold stays, so that the interpolated border lies where it belongs; a neighbour's outline does not.
    near = grown(part, RIM_VOXELS) & (part | (lesion.outline <= threshold))
    grid = native.crop([axis.start for axis in place], shape)
    result: NDArray[np.bool_] = sample_array(np.where(near, lesion.outline, 0), lesion.grid, grid, mode="constant") > threshold
    if not result.any():  # thinner than the scan's slices: the voxel that holds its centre
        index = np.round(grid.to_index(lesion.grid.to_mm(np.argwhere(part).mean(axis=0)))).astype(int)
        if (index >= 0).all() and (index < shape).all():
            result[tuple(index)] = True
    return result


def _side(region: Mask, center: tuple[float, float, float]) -> Code | None:
    """Return the lung that is nearest to a point, looking 15 mm around it; None if there is none or both."""
    index = region.grid.to_index(center)
    reach = np.ceil(SIDE_REACH_MM / np.array(region.grid.spacing_mm)).astype(int)
    low = np.clip(np.round(index).astype(int) - reach, 0, np.array(region.shape) - 1)
    high = np.clip(np.round(index).astype(int) + reach + 1, 1, region.shape)
    counts = np.bincount(region.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].ravel(), minlength=3)[1:3]
    if counts.sum() == 0 or counts[0] == counts[1]:
        return None
    return SIDES[int(np.argmax(counts)) + 1]
