"""What a model found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.values.code import Code
    from medimg.values.grid import Grid
    from medimg.values.mask import Mask
    from medimg.values.series import Skipped


@dataclass(frozen=True, kw_only=True)
class Part:
    """One measured number that a readable score weighs, and what it adds to the logit."""

    words: str
    number: float
    adds: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """A number that a model gave: 0 to 1, what it means in one sentence, and whether it was calibrated.

    `span` is the lowest and the highest value that the model gave when it saw the same place turned round: how unsure it is, not
    a confidence interval. `parts` are what a readable model is made of; a network has none to show. `class_name` is the class
    that the value lies in, "" for a score that has none.
    """

    name: str
    value: float
    meaning: str
    calibrated: bool = False
    parts: tuple[Part, ...] = ()
    span: tuple[float, float] | None = None
    class_name: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise ValueError(f"score {self.name} is {self.value}, not between 0 and 1")
        if self.span is not None and not 0 <= self.span[0] <= self.value <= self.span[1] <= 1:
            raise ValueError(f"score {self.name} of {self.value} does not lie in its span")


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Measured on the outline in patient space (see `medimg.measures`).

    `longest_diameter_mm` is the largest distance within one source slice (RECIST's long axis), `short_diameter_mm` its
    perpendicular.
    """

    volume_mm3: float
    longest_diameter_mm: float
    short_diameter_mm: float
    mean_hu: float | None = None
    sd_hu: float | None = None
    min_hu: float | None = None
    max_hu: float | None = None

    @property
    def mean_diameter_mm(self) -> float:
        """Mean of long and short diameter, by which nodules and masses are told (MacMahon et al., Radiology 2017;284:228)."""
        return (self.longest_diameter_mm + self.short_diameter_mm) / 2

    def to_dict(self) -> dict[str, float | None]:
        """Return the measures as JSON values, rounded to what can be meant."""
        return {name: None if value is None else round(value, 2) for name, value in vars(self).items()}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One lesion.

    Args:
        id: number in the report, from 1; also its label in the Prediction's mask and its channel (id - 1) in the heatmap.
        center_mm: LPS point, centre of mass of the outline.
        measures: of the outline.
        kind: what it is; `site`: where (lung, left or right), if known.
        detection_probability: how sure the model is that this is a lesion of its kind; None where no model looked for it.
        volume_span_mm3: smallest and largest volume of the outlines that the model drew of the same place turned round; None
            where it drew one only.
        scores: the other scores, e.g. `suspicion` (what radiologists would rate; not a probability of cancer).
        tracking_uid: DICOM tracking UID, made from source UIDs, model and voxels.
        name: what people call it ("GTV-1"), if it has a name of its own.
        category: the wider sort of thing it is; None is a morphologically abnormal structure.
        remarks: sentences for the reader of the report (cut by the scan's edge, larger than the model was made for ...).
    """

    id: int
    center_mm: tuple[float, float, float]
    measures: Measures
    kind: Code
    detection_probability: float | None
    site: Code | None = None
    laterality: Code | None = None
    scores: tuple[Score, ...] = ()
    tracking_uid: str = ""
    name: str = ""
    category: Code | None = None
    remarks: tuple[str, ...] = ()
    volume_span_mm3: tuple[float, float] | None = None

    def score(self, name: str) -> float | None:
        """Return the score of that name, None if the model gave none."""
        return next((score.value for score in self.scores if score.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values; `suspicion` and the other scores are keys of their own."""
        return {
            "id": self.id,
            **({"name": self.name} if self.name else {}),
            "kind": self.kind.meaning,
            "site": self.site.meaning if self.site else None,
            "laterality": self.laterality.meaning if self.laterality else None,
            "center_mm": [round(value, 2) for value in self.center_mm],
            **self.measures.to_dict(),
            "volume_span_mm3": [round(value, 2) for value in self.volume_span_mm3] if self.volume_span_mm3 else None,
            "detection_probability": None if self.detection_probability is None else round(self.detection_probability, 4),
            "suspicion": None,
            **{score.name: round(score.value, 4) for score in self.scores},
            "scores": {
                score.name: {"value": round(score.value, 4), "meaning": score.meaning, "calibrated": score.calibrated}
                | ({"class": score.class_name} if score.class_name else {})
                | ({"span": [round(value, 4) for value in score.span]} if score.span else {})
                | ({"parts": [_part(part) for part in score.parts]} if score.parts else {})
                for score in self.scores
            },
            "tracking_uid": self.tracking_uid,
            "remarks": list(self.remarks),
        }


def _part(part: Part) -> dict[str, Any]:
    return {"words": part.words, "number": round(part.number, 3), "adds": round(part.adds, 3)}


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model says of one volume: findings, their outlines (label = finding id) on its grid, and what was not evaluated.

    `looked_for` is the kind of lesion that was searched and `looked_in` where; without it, no finding means nothing was said.
    """

    findings: tuple[Finding, ...]
    mask: Mask
    looked_for: Code | None = None
    looked_in: Code | None = None
    not_evaluated: tuple[Skipped, ...] = ()
    remarks: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Heatmap:
    """Where the evidence for one finding lies.

    Args:
        array: float32 (slice, row, column), 0..1, positive evidence only, 1 at its strongest.
        grid: where it lies; a box of the scan's own grid or of the model's, never resampled in silence.
        finding_id: the finding it explains; `target`: the score it explains (`suspicion`, `nodule`).
        method: name of the module in `saliency/`.
    """

    array: NDArray[np.float32]
    grid: Grid
    finding_id: int
    target: str
    method: str

    def __post_init__(self) -> None:
        array = np.asarray(self.array, dtype=np.float32)
        if array.shape != self.grid.shape:
            raise ValueError(f"a heatmap of {array.shape} does not fit a grid of {self.grid.shape}")
        view = array.view()
        view.setflags(write=False)
        object.__setattr__(self, "array", view)
