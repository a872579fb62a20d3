"""`medimg convert`: scans as NIfTI or NRRD, for research."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medimg.cli._parser import options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "Write scans as NIfTI or NRRD files, each with a JSON sidecar that says what it is and how far it can be trusted."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments; each is a keyword of `medimg.convert`."""
    parser.add_argument("scan", metavar="SCAN", type=Path, help="a DICOM folder or file, or a NIfTI, NRRD or MHA file")
    parser.add_argument(
        "output",
        metavar="OUT",
        type=Path,
        help="a name that ends in .nii.gz, .nii or .nrrd, for one volume; or a folder, for a .nii.gz of each",
    )
    parser.add_argument("--series", metavar="NAME", help="take this series only, by its short name (medimg inspect shows them)")
    parser.add_argument(
        "--identify", action="store_true", help="let the sidecar say whose scan it is: name, ID, dates, free text"
    )
    parser.add_argument(
        "--json", action="store_true", default=False, help="print what was written as JSON, as docs/commands.md describes"
    )


def run(args: Namespace) -> int:
    """Call `medimg.convert` and print what it wrote."""
    from medimg.cli import _json
    from medimg.runs import convert

    done = convert(args.scan, args.output, **options(args, "scan", "output", "json"))
    if args.json:
        _json.show(done.to_dict())
        return 0
    for file in done.files:
        print(file)
    for series in done.series:
        for hazard in series.hazards:
            print(f"{series.name} {hazard.verdict}: {hazard.sentence}")
    if done.skipped:
        print(f"skipped ({len(done.skipped)}):")
        for item in done.skipped:
            print(f"  {item.what}: {item.reason}")
    return 0
