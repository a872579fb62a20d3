"""`medimg overlay`: anyone's mask as reports and DICOM objects."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

from medimg.cli._parser import options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "Lay anyone's mask on its scan, measure what it outlines, and write reports and DICOM objects of it."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments; each is a keyword of `medimg.overlay`."""
    parser.add_argument("mask", metavar="MASK", type=Path, help="a DICOM SEG or RTSTRUCT, or labels in NIfTI, NRRD or MHA")
    parser.add_argument("scan", metavar="SCAN", type=Path, help="the scan that it was drawn on: a DICOM folder (or any scan)")
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, help="write one folder a mask into this one; without it nothing is written"
    )
    parser.add_argument("--series", metavar="NAME", help="take this series of the scan, by its short name (medimg inspect)")
    parser.add_argument("--segments", metavar="LIST", type=_list, help="take only these labels: numbers or names, with commas")
    parser.add_argument("--segment-names", metavar="LIST", type=_names, help='what labels are called, e.g. "1=GTV,2=left lung"')
    parser.add_argument(
        "--kind",
        metavar="KIND",
        help="what is outlined, where the mask has no code: lesion, nodule, mass, neoplasm, or SCHEME:VALUE:MEANING",
    )
    parser.add_argument(
        "--made-by", metavar="HOW", help="manual, semiautomatic or automatic: how it was outlined, where the mask does not say it"
    )
    parser.add_argument("--components", action="store_true", help="make each connected piece of a label a finding of its own")
    parser.add_argument(
        "--overlap",
        metavar="RULE",
        help="refuse, or smallest: voxels that several segments claim are the smallest one's (default: refuse)",
    )
    parser.add_argument(
        "--threshold", metavar="SHARE", type=float, help="of a fractional SEG: from which share a voxel is in (default: 0.5)"
    )
    parser.add_argument(
        "--place-by",
        metavar="WHAT",
        help="position, or source: lay each frame of a SEG on the slice that it names, where positions are damaged "
        "(default: position)",
    )
    parser.add_argument(
        "--cut", action="store_true", help="leave out what lies beyond the scan, and say so; without it that is refused"
    )
    parser.add_argument("--modality", metavar="NAME", help="what the scan is, where its file does not say (CT, MR ...)")
    parser.add_argument("--identify", action="store_true", help="put the patient's name and ID on the report")
    parser.add_argument(
        "--json", action="store_true", default=False, help="print the result as JSON, as docs/findings.md describes"
    )
    parser.add_argument("--quiet", action="store_true", default=False, help="show no progress and no summary")


def run(args: Namespace) -> int:
    """Call `medimg.overlay`, show its progress on stderr and its result on stdout."""
    from medimg.cli import _json, _progress, _summary
    from medimg.runs import overlay

    with _progress.shown(quiet=args.quiet) as progress:
        result = overlay(args.mask, args.scan, progress=progress, **options(args, "mask", "scan", "json", "quiet"))
    if args.json:
        _json.show(result.to_dict())
    elif not args.quiet:
        for line in _summary.lines(result):
            print(line)
    for study in result.studies:
        if study.error:
            print(f"medimg: {study.name}: {study.error}", file=sys.stderr)
    return max((study.exit_code for study in result.studies), default=0)


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _names(text: str) -> dict[int, str]:
    """Return {1: "GTV"} for "1=GTV"."""
    names: dict[int, str] = {}
    for part in _list(text):
        label, _, name = part.partition("=")
        if not label.strip().isdigit() or not name.strip():
            raise ArgumentTypeError(f'{part} is no NUMBER=NAME; give e.g. "1=GTV,2=left lung"')
        names[int(label)] = name.strip()
    return names
