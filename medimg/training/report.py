"""Write what was measured: figures as JSON, the cases as CSV, plots, and a page that shows all of it."""

from __future__ import annotations

import base64
import csv
import json
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.files import whole_file
from medimg.evaluation.calibration import reliability
from medimg.training.failures import draw_failures

if TYPE_CHECKING:
    from collections.abc import Callable

    from medimg.training.cases import Case, Cases
    from medimg.training.evaluate import Evaluation

MOST_FALSE = 8  # false positives a litre that the curve shows
SCANS, COUNTS = "whole_scans", ("scan", "split", "targets", "found", "others", "ignored")
COLUMNS = ("nodule", "patient", "manufacturer", "diameter_mm", "malignant", "texture", "calcification", "found")
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px/1.45 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#1a1f24}}
table{{border-collapse:collapse}}td,th{{padding:.15em .9em .15em 0;text-align:left;border-bottom:1px solid #e3e6ea}}
td+td{{font-variant-numeric:tabular-nums}}img{{width:450px;max-width:100%}}img[alt=failures]{{width:100%}}</style>
<h1>{title}</h1><p>{words}</p>{plots}<h2>Figures</h2>
<table><tr><th>figure<th>value<th>95 % interval by patient</tr>{rows}</table>{scans}</html>
"""


def write_evaluation(evaluation: Evaluation, folder: str | Path) -> tuple[Path, ...]:
    """Write `figures.json`, `cases.csv`, a PNG for each plot, and `evaluation.html`, which holds all of it.

    The cases name patients by the ids of the data, which are public for open data: keep the file where such data may lie.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures = evaluation.to_dict()
    paths = [folder / "figures.json"]
    with whole_file(paths[0]) as partial:
        partial.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    pictures = {}
    if evaluation.cases is not None:
        paths.append(folder / "cases.csv")
        with whole_file(paths[-1]) as partial:
            _write_cases(partial, evaluation.cases.cases)
        pictures = plots(evaluation.cases)
        if evaluation.cubes is not None:
            pictures["failures"] = draw_failures(evaluation.cases, evaluation.cubes)
    for name, content in pictures.items():
        paths.append(folder / f"{name}.png")
        with whole_file(paths[-1]) as partial:
            partial.write_bytes(content)
    paths.append(folder / "evaluation.html")
    with whole_file(paths[-1]) as partial:
        partial.write_text(_page(figures, pictures), encoding="utf-8")
    return tuple(paths)


def _write_cases(path: Path, cases: tuple[Case, ...]) -> None:
    names = sorted({name for case in cases for name in case.scores})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, "dice", "nsd", "hd95_mm", "end_to_end_dice", *(f"score_{name}" for name in names)])
        for case in cases:
            own = [getattr(case, name) for name in COLUMNS]
            fit = [case.outline.dice, case.outline.nsd, case.outline.hd95_mm, case.found_outline.dice]
            scores = [case.scores.get(name, "") for name in names]
            writer.writerow([f"{value:.5g}" if isinstance(value, float) else value for value in (*own, *fit, *scores)])


def plots(cases: Cases) -> dict[str, bytes]:
    """Return the plots as PNG: Dice over diameter, ROC, reliability, free-response curve."""
    rated = [case for case in cases.cases if not np.isnan(case.malignant) and "suspicion" in case.scores]
    drawn = {"dice": lambda axes: _dice(axes, cases.cases), "froc": lambda axes: _froc(axes, cases)}
    if len({case.malignant for case in rated}) > 1:
        drawn |= {"roc": lambda axes: _roc(axes, rated), "reliability": lambda axes: _reliability(axes, rated)}
    return {name: _png(draw) for name, draw in drawn.items()}


def _png(draw: Callable[[Any], None]) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    draw(axes)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def _dice(axes: Any, cases: tuple[Case, ...]) -> None:
    axes.scatter([case.diameter_mm for case in cases], [case.outline.dice for case in cases], s=9, alpha=0.6)
    axes.set(xlabel="diameter of the data's outline (mm)", ylabel="Dice of the model's outline", ylim=(0, 1), xscale="log")
    axes.set_xticks([3, 5, 10, 20, 30], ["3", "5", "10", "20", "30"])
    axes.minorticks_off()  # their labels are powers of ten that overlap


def _truth_and_score(rated: list[Case]) -> tuple[Any, Any]:
    return np.array([case.malignant for case in rated]).astype(int), np.array([case.scores["suspicion"] for case in rated])


def _roc(axes: Any, rated: list[Case]) -> None:
    from sklearn.metrics import roc_curve

    truth, score = _truth_and_score(rated)
    for name, values in (("suspicion", score), ("diameter alone", np.array([case.diameter_mm for case in rated]))):
        false, true, _ = roc_curve(truth, values)
        axes.plot(false, true, label=name)
    axes.plot([0, 1], [0, 1], color="0.7", lw=1)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, loc="lower right")


def _reliability(axes: Any, rated: list[Case]) -> None:
    told, happened, count = zip(*reliability(*_truth_and_score(rated)), strict=True)
    axes.plot([0, 1], [0, 1], color="0.7", lw=1)
    axes.plot(told, happened, marker="o", ms=4)
    axes.set(xlabel=f"suspicion (mean of {min(count)} to {max(count)} nodules)", ylabel="rated above 3", xlim=(0, 1), ylim=(0, 1))


def _froc(axes: Any, cases: Cases) -> None:
    order = np.argsort(-cases.probability, kind="stable")
    new = np.zeros(len(order), bool)
    seen: set[int] = set()
    for place, number in enumerate(order):
        if cases.target[number] >= 0 and cases.unit[number] not in seen:
            seen.add(int(cases.unit[number]))
            new[place] = True
    false = np.cumsum(cases.target[order] < 0) / cases.litres.sum()
    found = np.cumsum(new) / len(cases.cases)
    axes.step([*false, *[MOST_FALSE] * bool(len(false))], [*found, *found[-1:]], where="post")  # flat beyond the last candidate
    axes.set(xlabel="false positives a litre", ylabel="sensitivity", xlim=(0, MOST_FALSE), ylim=(0, 1.02))


def _page(figures: dict[str, Any], pictures: dict[str, bytes]) -> str:
    images = "".join(
        f'<img alt="{name}" src="data:image/png;base64,{base64.b64encode(png).decode()}">' for name, png in pictures.items()
    )
    rows = []
    for name, value in figures.items():
        if isinstance(value, list) and len(value) == 3 and not isinstance(value[0], dict):
            shown = ["-" if item is None else f"{item:.3f}" for item in value]
            interval = "too few patients" if value[1] is None else f"{shown[1]} to {shown[2]}"
            rows.append(f"<tr><td>{escape(name)}<td>{shown[0]}<td>{interval}</tr>")
        elif name.endswith(".refused"):
            rows.append(f"<tr><td>{escape(name)}<td colspan=2>{escape(str(value))}</tr>")
        elif isinstance(value, int | float) or value is None:
            rows.append(f"<tr><td>{escape(name)}<td>{'-' if value is None else f'{value:g}'}<td></tr>")
    words = f"Measured on: {figures['split']}. For research only; not a medical device."
    return PAGE.format(
        title=escape(f"Evaluation of {figures['model']}"),
        words=escape(words),
        plots=images,
        rows="".join(rows),
        scans=_scans(figures.get(SCANS, [])),
    )


def _scans(lines: list[dict[str, Any]]) -> str:
    """Return the table of whole scans: raw counts are all there is to say of few."""
    if not lines:
        return ""
    heads = "".join(f"<th>{escape(name)}" for name in COUNTS)
    rows = "".join(
        f"<tr><td>{escape(line['scan'])}"
        + (
            f"<td colspan={len(COUNTS) - 1}>{escape(line['refused'])}"
            if "refused" in line
            else "".join(f"<td>{escape(str(line.get(name, '')))}" for name in COUNTS[1:])
        )
        + "</tr>"
        for line in lines
    )
    return f"<h2>Whole scans</h2><table><tr>{heads}</tr>{rows}</table>"
