"""`medimg inspect`: look before you run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from medimg.runs import Inspection
    from medimg.values import Series

SUMMARY = "Show what lies in a folder, how far each series can be trusted, and which models would run on it."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("scan", metavar="SCAN", nargs="+", type=Path, help="a folder of any mix of scans, or a file")
    parser.add_argument(
        "--json", action="store_true", default=False, help="print the inspection as JSON, as docs/commands.md describes"
    )


def run(args: Namespace) -> int:
    """Call `medimg.inspect` and print what it saw."""
    from medimg.cli import _json
    from medimg.errors import ScanError
    from medimg.runs import inspect

    inspection = inspect(*args.scan)
    if args.json:
        _json.show(inspection.to_dict())
    else:
        for line in lines(inspection):
            print(line)
    if not inspection.studies:
        names = ", ".join(path.name or str(path) for path in args.scan)
        raise ScanError(f"{names} holds no scan. Give a folder with a DICOM series, or a NIfTI, NRRD or MHA file.")
    return 0


def lines(inspection: Inspection) -> Iterator[str]:
    """Say the inspection in lines for people."""
    for study in inspection.studies:
        yield study.name
        for series in study.series:
            yield from _series(series)
            for name, reason in inspection.models.get(series.name, {}).items():
                yield f"    model {name}: {reason or 'would run'}"
    if inspection.skipped:
        yield f"skipped ({len(inspection.skipped)}):"
        for item in inspection.skipped:
            yield f"  {item.what}: {item.reason}"


def _series(series: Series) -> Iterator[str]:
    yield f"  {series.describe()}"
    if series.grid:
        size = " x ".join(f"{length:.0f}" for length in series.grid.size_mm)
        yield f"    {size} mm, {len(series.files)} files read by {series.reader}"
    yield f"    verdict: {series.verdict}"
    for hazard in series.hazards:
        yield f"    {hazard.verdict}: {hazard.sentence}"
