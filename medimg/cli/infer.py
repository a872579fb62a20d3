"""`medimg infer`: the main job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from medimg.cli._parser import options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from medimg.values import RunResult

SUMMARY = "Find, outline, rate and explain lesions in scans, and write reports and DICOM objects."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments; each is a keyword of `medimg.infer`."""
    parser.add_argument("scan", metavar="SCAN", nargs="+", type=Path, help="a DICOM folder or file, or a NIfTI, NRRD or MHA file")
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, help="write one folder a study into this one; without it nothing is written"
    )
    parser.add_argument(
        "--model", metavar="NAME", help="a model of the package (medimg models) or the folder of one (default: lung-nodule)"
    )
    parser.add_argument("--modality", metavar="NAME", help="what the scan is, where its file does not say (CT, MR ...)")
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--series", metavar="NAME", help="take this series only, by its short name (medimg inspect shows them)")
    parser.add_argument(
        "--all-series", action="store_true", help="take every series that fits the model, not the best of each acquisition"
    )
    parser.add_argument("--explain", metavar="METHOD", help="how findings are explained, or none (default: gradcam)")
    parser.add_argument("--identify", action="store_true", help="put the patient's name and ID on the report")
    parser.add_argument(
        "--labelmap",
        action="store_true",
        help="write outlines as a LABELMAP segmentation, and as BINARY beside it for older PACS",
    )
    parser.add_argument(
        "--json", action="store_true", default=False, help="print the result as JSON, as docs/findings.md describes"
    )
    parser.add_argument("--quiet", action="store_true", default=False, help="show no progress and no summary")


def run(args: Namespace) -> int:
    """Call `medimg.infer`, show its progress on stderr and its result on stdout."""
    from medimg.cli import _json, _progress, _summary
    from medimg.runs import infer

    with _progress.shown(quiet=args.quiet) as progress:
        result = infer(*args.scan, progress=progress, **options(args, "scan", "json", "quiet"))
    if args.json:
        _json.show(result.to_dict())
    elif not args.quiet:
        for line in _summary.lines(result):
            print(line)
    for study in result.studies:
        if study.error:
            print(f"medimg: {study.name}: {study.error}", file=sys.stderr)
    return _exit_code(result)


def _exit_code(result: RunResult) -> int:
    """Return 0 if every study ended well, the code of their failure if all failed alike, else the code for some."""
    from medimg.errors import SOME_STUDIES_FAILED

    codes = {study.exit_code or SOME_STUDIES_FAILED if study.error else 0 for study in result.studies}
    return codes.pop() if len(codes) == 1 else SOME_STUDIES_FAILED if codes else 0
