"""Measure a model on whole scans, whose every mark is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.errors import UnsuitableScanError
from medimg.evaluation import detection
from medimg.training.chests import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from medimg.engine import Model
    from medimg.training.chests import Chest, Mark

LEAST_SCANS = 10  # for a curve: fewer are counted
LEAST_RADIUS_MM = 2.0  # of a mark without a diameter: smaller than the nodules that count


@dataclass(frozen=True, kw_only=True)
class Searched:
    """A line for every scan, and the candidates behind them: probability, number of the target hit (-1: none), of the scan."""

    lines: tuple[dict[str, Any], ...]
    patients: tuple[str, ...]
    candidates: tuple[tuple[float, int, int], ...]

    def figures(self) -> dict[str, Any]:
        """Return raw counts; from `LEAST_SCANS` scans on also free-response figures with intervals."""
        searched = [line for line in self.lines if "refused" not in line]
        found: dict[str, Any] = {
            "whole_scans.scans": len(self.lines),
            "whole_scans.refused": len(self.lines) - len(searched),
            "whole_scans.targets": sum(line["targets"] for line in searched),
            "whole_scans.found": sum(line["found"] for line in searched),
        }
        if searched:
            found["whole_scans.other_findings_median"] = float(np.median([line["others"] for line in searched]))
        if len(searched) >= LEAST_SCANS:
            rows = [number for number, line in enumerate(self.lines) if "refused" not in line]
            curve = detection(
                np.array([sure for sure, _, _ in self.candidates], float),
                np.array([hit for _, hit, _ in self.candidates], int),
                np.searchsorted(rows, np.array([scan for _, _, scan in self.candidates], int)),
                targets=[line["targets"] for line in searched],
                amounts=np.ones(len(searched)),
                patients=[self.patients[number] for number in rows],
            )
            told = {name: value for name, value in curve.items() if name not in ("units", "amount", "targets")}
            found |= {f"whole_scans.{name}": value for name, value in told.items()}
        return found | {"whole_scans": list(self.lines)}


def evaluate_chests(model: Model, chests: Iterable[Chest], *, tell: Callable[[int], None] = lambda done: None) -> Searched:
    """Search whole scans; hits are told by LUNA16's rule.

    A target is found if a finding's centre is nearer to it than its radius. A finding on another reader's mark (1 or 2 readers,
    below 3 mm, non-nodule) is neither hit nor false; `others` counts the rest. A scan that the model refuses has its reason in
    `refused`, and none of the counts.
    """
    lines: list[dict[str, Any]] = []
    patients: list[str] = []
    candidates: list[tuple[float, int, int]] = []
    for number, chest in enumerate(chests):
        tell(number)
        patients.append(chest.whose)
        try:
            prediction, places = model.search(chest.volume)
        except UnsuitableScanError as error:
            lines.append({"scan": chest.name, "split": chest.split, "refused": str(error)})
            continue
        found: dict[int, float] = {}
        ignored = others = 0
        for finding in prediction.findings:
            hit = mark_of(finding.center_mm, chest.marks)
            if hit is None:
                others += 1
            elif chest.marks[hit].kind == TARGET:
                found[hit] = max(found.get(hit, 0.0), finding.detection_probability or 0.0)
            else:
                ignored += 1
        for probability, center_mm in places:
            hit = mark_of(center_mm, chest.marks)
            if hit is None or chest.marks[hit].kind == TARGET:
                candidates.append((probability, -1 if hit is None else hit, number))
        lines.append(
            {
                "scan": chest.name,
                "split": chest.split,
                "targets": sum(mark.kind == TARGET for mark in chest.marks),
                "found": len(found),
                "others": others,
                "ignored": ignored,
                "seconds": round(sum(prediction.seconds.values()), 1),
            }
        )
    return Searched(lines=tuple(lines), patients=tuple(patients), candidates=tuple(candidates))


def mark_of(center_mm: tuple[float, float, float], marks: tuple[Mark, ...]) -> int | None:
    """Return the number of the mark that a point hits (LUNA16: nearer than its radius), a target before others; None if none."""
    near = []
    for number, mark in enumerate(marks):
        distance = float(np.linalg.norm(np.subtract(mark.center_mm, center_mm)))
        if distance <= max((mark.diameter_mm or 0) / 2, LEAST_RADIUS_MM):
            near.append((mark.kind != TARGET, distance, number))
    return min(near)[2] if near else None
