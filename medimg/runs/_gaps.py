"""Say of findings what lies on slices that nobody measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medimg.values import Mask, Skipped

if TYPE_CHECKING:
    from medimg.values import Finding, Prediction, Series

PARTLY = "A part of its outline lies on slices that were not measured and repeat their neighbours: its size is rough."


def with_gaps_said(prediction: Prediction, series: Series) -> Prediction:
    """Return a prediction that says what lies in gaps of the series.

    A finding that lies on unmeasured slices only is no finding: it leaves the list and stands in `not_evaluated`. One that lies
    there partly gets a remark. That there are gaps stands in `not_evaluated` too.
    """
    gaps = [index for index, origin in enumerate(series.slice_of) if origin is None]
    if not gaps:
        return prediction
    mask, said = prediction.mask, [Skipped(what="between slices", reason=_words(len(gaps), len(series.slice_of)))]
    everywhere, unmeasured = _count(mask.array), _count(mask.array[gaps])
    kept: list[Finding] = []
    order = np.zeros(len(everywhere), mask.array.dtype)
    for finding in prediction.findings:
        inside = unmeasured[finding.id] if finding.id < len(unmeasured) else 0
        if inside and inside == everywhere[finding.id]:
            center = ", ".join(f"{value:.0f}" for value in finding.center_mm)
            said.append(Skipped(what="in a gap", reason=f"Something at {center} mm lies on slices that were not measured only."))
            continue
        order[finding.id] = len(kept) + 1
        kept.append(replace(finding, id=len(kept) + 1, remarks=(*finding.remarks, PARTLY) if inside else finding.remarks))
    if len(kept) < len(prediction.findings):
        labels = {int(order[label]): code for label, code in mask.labels.items() if order[label]}
        mask = Mask(array=order[mask.array], grid=mask.grid, labels=labels)
    return replace(prediction, findings=tuple(kept), mask=mask, not_evaluated=(*prediction.not_evaluated, *said))


def _count(array: np.ndarray) -> np.ndarray:
    return sum((np.bincount(plane.ravel(), minlength=int(array.max()) + 1) for plane in array), np.zeros(1, np.int64))


def _words(gaps: int, slices: int) -> str:
    which = "1 slice was" if gaps == 1 else f"{gaps} slices were"
    return f"{which} not measured, of {slices}: what lies there was not seen."
