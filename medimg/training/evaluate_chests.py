"""Measure a model on whole scans, whose every mark is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.training.chests import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medimg.engine import Model
    from medimg.training.chests import Chest, Mark

LEAST_RADIUS_MM = 2.0  # of a mark without a diameter: smaller than the nodules that count


def evaluate_chests(model: Model, chests: Iterable[Chest]) -> list[dict[str, Any]]:
    """Return per scan the targets found and the other findings, by LUNA16's rule.

    A target is found if a finding's centre is nearer to it than its radius. A finding on another reader's mark (1 or 2 readers,
    below 3 mm, non-nodule) is neither hit nor false; `others` counts the rest.
    """
    lines = []
    for chest in chests:
        prediction = model(chest.volume)
        found: dict[int, float] = {}
        ignored = others = 0
        for finding in prediction.findings:
            number = mark_of(finding.center_mm, chest.marks)
            if number is None:
                others += 1
            elif chest.marks[number].kind == TARGET:
                found[number] = max(found.get(number, 0.0), finding.detection_probability or 0.0)
            else:
                ignored += 1
        targets = sum(mark.kind == TARGET for mark in chest.marks)
        lines.append(
            {
                "scan": chest.name,
                "split": chest.split,
                "targets": targets,
                "found": len(found),
                "others": others,
                "ignored": ignored,
                "seconds": round(sum(prediction.seconds.values()), 1),
            }
        )
    return lines


def mark_of(center_mm: tuple[float, float, float], marks: tuple[Mark, ...]) -> int | None:
    """Return the number of the mark that a point hits (LUNA16: nearer than its radius), a target before others; None if none."""
    near = []
    for number, mark in enumerate(marks):
        distance = float(np.linalg.norm(np.subtract(mark.center_mm, center_mm)))
        if distance <= max((mark.diameter_mm or 0) / 2, LEAST_RADIUS_MM):
            near.append((mark.kind != TARGET, distance, number))
    return min(near)[2] if near else None
