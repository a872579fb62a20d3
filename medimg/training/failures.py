"""A picture of the cases that a model is furthest off with: what a card must not hide."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medimg.training.cases import Case, Cases
    from medimg.training.cubes import Cubes

COLUMNS = 6
WINDOW_HU = (-1350.0, 150.0)  # the lung window of reports
FIELD = 36  # voxels shown of a cube's side: enough to see what the nodule hangs on
TRUTH, DRAWN = "#4cc9f0", "#ffd166"


def draw_failures(cases: Cases, cubes: Cubes, *, each: int = COLUMNS) -> bytes:
    """Return a PNG: the worst outlines, the nodules that a search missed, and the suspicion furthest off, `each` of a kind.

    Every picture is the slice in which the data's outline (blue) is largest, with the model's (yellow). Cases and cubes are
    those of one evaluation, in the same order. What stands below a picture names the data's own public case.
    """
    from matplotlib.figure import Figure

    rows = _rows(cases.cases, each)
    figure = Figure(figsize=(1.75 * COLUMNS, 2.35 * len(rows) + 0.5), dpi=130, layout="constrained")
    axes = figure.subplots(len(rows), COLUMNS, squeeze=False)
    for line, (title, chosen) in zip(axes, rows, strict=True):
        for place, spot in enumerate(line):
            spot.axis("off")
            if place < len(chosen):
                number, words = chosen[place]
                _draw(spot, cases.cases[number], cubes, number, words)
        line[0].set_title(title, fontsize=8, loc="left", fontweight="bold")
    figure.supxlabel("Blue: the outline of the data. Yellow: the model, from a point up to 5 mm off.", fontsize=8)
    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def _rows(cases: Sequence[Case], each: int) -> list[tuple[str, list[tuple[int, str]]]]:
    """Return a title and (number of the case, words below it) for each kind of failure that there is."""
    everyone = range(len(cases))
    worst = sorted(everyone, key=lambda number: cases[number].outline.dice)[:each]
    missed = sorted((number for number in everyone if not cases[number].found_outline.dice), key=lambda n: cases[n].found)[:each]
    rated = [n for n in everyone if not np.isnan(cases[n].malignant) and "suspicion" in cases[n].scores]
    wrong = sorted(rated, key=lambda n: -abs(cases[n].scores["suspicion"] - cases[n].malignant))[:each]
    rows = [
        ("Outlines furthest off", [(n, f"Dice {cases[n].outline.dice:.2f}") for n in worst]),
        ("Missed by the search", [(n, "not proposed" if cases[n].found < 0 else f"found {cases[n].found:.2f}") for n in missed]),
        ("Suspicion furthest off", [(n, _suspicion(cases[n])) for n in wrong]),
    ]
    return [(title, chosen) for title, chosen in rows if chosen]


def _suspicion(case: Case) -> str:
    return f"{case.scores['suspicion']:.2f}; rated {'above' if case.malignant else 'below'} 3"


def _draw(spot: Any, case: Case, cubes: Cubes, number: int, words: str) -> None:
    truth = cubes.mask[number] == 1
    index = int(truth.sum(axis=(1, 2)).argmax())
    low = np.clip(np.round(cubes.centroids[number][1:]).astype(int) - FIELD // 2, 0, np.array(truth.shape[1:]) - FIELD)
    part = (index, slice(low[0], low[0] + FIELD), slice(low[1], low[1] + FIELD))
    spot.imshow(cubes.hu[number][part], cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], interpolation="nearest")
    for mask, color in ((truth[part], TRUTH), (case.drawn[part], DRAWN)):
        if mask.any():
            spot.contour(mask, levels=[0.5], colors=color, linewidths=0.9)
    spot.text(
        0.5,
        -0.04,
        f"{case.nodule}\n{case.diameter_mm:.1f} mm, {words}",
        transform=spot.transAxes,
        fontsize=5.5,
        ha="center",
        va="top",
    )
