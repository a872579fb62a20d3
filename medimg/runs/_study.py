"""One series from its files to its result."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medimg._tools.identity import uid_from
from medimg.readers import load_series
from medimg.runs._gaps import with_gaps_said
from medimg.runs._provenance import provenance
from medimg.values import StudyResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from medimg.engine import Model
    from medimg.values import Heatmap, Prediction, Provenance, Series, Skipped, Study, Volume

    Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What was asked for: the model and the options of `infer` that reach a study."""

    model: Model
    modality: str
    explain: str
    series: str
    all_series: bool
    identify: bool
    labelmap: bool
    tell: Progress

    def provenance(self) -> Provenance:
        """Return what makes a result of this order."""
        return provenance(
            self.model.card,
            device=self.model.device,
            explain=self.explain,
            modality=self.modality,
            series=self.series,
            all_series=self.all_series,
        )


def run_series(order: Order, study: Study, series: Series, others: tuple[Skipped, ...]) -> StudyResult:
    """Read a series, find what is in it and explain each finding; nothing is written."""
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    order.tell("read", 0, 1)
    volume, series = load_series(series, modality=order.modality)  # as it was read: files may turn out to be undecodable
    seconds["read"] = time.perf_counter() - start
    prediction = order.model(volume, progress=order.tell)
    seconds |= prediction.seconds
    volume = volume.of_modality(order.model.card.input.modality)  # the model has judged by the voxels, and its remarks say so
    prediction = with_gaps_said(prediction, series)
    findings = tuple(
        replace(finding, tracking_uid=uid_from(series.series_uid or series.name, finding.tracking_uid))
        for finding in prediction.findings
    )
    prediction = replace(prediction, findings=findings)
    start = time.perf_counter()
    heatmaps = _explain(order, volume, prediction)
    seconds["explain"] = time.perf_counter() - start
    return StudyResult(
        name=study.name,
        series=series,
        provenance=order.provenance(),
        prediction=prediction,
        volume=volume,
        heatmaps=heatmaps,
        other_series=others,
        seconds=seconds,
        identify=order.identify,
        labelmap=order.labelmap,
    )


def _explain(order: Order, volume: Volume, prediction: Prediction) -> tuple[Heatmap, ...]:
    if order.explain == "none":
        return ()
    from medimg.saliency import explain

    heatmaps = []
    for number, finding in enumerate(prediction.findings):
        order.tell("explain", number, len(prediction.findings))
        heatmaps.append(explain(order.model, volume, finding, method=order.explain))
    return tuple(heatmaps)
