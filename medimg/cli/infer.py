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
    parser.add_argument(
        "scan",
        metavar="SCAN",
        nargs="+",
        type=_scan,
        help="a DICOM folder or file, a NIfTI, NRRD or MHA file, or studies on a node: "
        "pacs://NODE?PatientID=...&StudyDate=... (pacs://NODE?- reads the question from stdin)",
    )
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
    parser.add_argument("--send", metavar="NODE", help="send the objects to this node, by way of the outbox")
    parser.add_argument("--outbox", metavar="FOLDER", type=Path, help="where the outbox lies, instead of the user's state folder")
    parser.add_argument(
        "--pacs-config", metavar="FILE", type=Path, help="nodes to choose from, in place of those of medimg pacs add"
    )
    parser.add_argument(
        "--labelmap",
        action="store_true",
        help="write outlines as a LABELMAP segmentation, and as BINARY beside it for older PACS",
    )
    parser.add_argument(
        "--json", action="store_true", default=False, help="print the result as JSON, as docs/findings.md describes"
    )
    parser.add_argument("--quiet", action="store_true", default=False, help="show no progress and no summary")


def _scan(word: str) -> str | Path:
    """Return a path, or the address of studies on a node as it is: a path would lose one of its slashes."""
    return word if word[:5].lower() == "pacs:" else Path(word)


def run(args: Namespace) -> int:
    """Call `medimg.infer`, or `medimg.nodes.infer_and_send` where a node takes part; progress on stderr, the result on stdout."""
    from medimg.cli import _deliver, _json, _progress, _summary

    delivery = None
    if _deliver.takes_part(args):
        result, delivery = _deliver.run(args)
    else:
        from medimg.runs import infer

        with _progress.shown(quiet=args.quiet) as progress:
            result = infer(*args.scan, progress=progress, **options(args, "scan", "json", "quiet"))
    if args.json:
        _json.show(delivery.to_dict() if delivery else result.to_dict())
    elif not args.quiet:
        for line in _summary.lines(result, sent_to=delivery.node if delivery else ""):
            print(line)
        for line in _deliver.lines(delivery) if delivery else ():
            print(line)
    for study in result.studies:
        if study.error:
            print(f"medimg: {study.name}: {study.error}", file=sys.stderr)
    sent = _deliver.exit_code(delivery) if delivery else 0
    return _exit_code(result) or sent


def _exit_code(result: RunResult) -> int:
    """Return 0 if every study ended well, the code of their failure if all failed alike, else the code for some."""
    from medimg.errors import SOME_STUDIES_FAILED

    codes = {study.exit_code or SOME_STUDIES_FAILED if study.error else 0 for study in result.studies}
    return codes.pop() if len(codes) == 1 else SOME_STUDIES_FAILED if codes else 0
