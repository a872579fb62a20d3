"""`medimg fetch`: studies from a PACS or archive."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from medimg.cli._parser import options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from medimg.nodes import Fetched

SUMMARY = "Find studies on a PACS or archive, and pull them whole."
FROM_STDIN = "-"
NAMING = ("patient_id", "accession_number", "study_uid", "series_uid")  # whose study it is; no list of processes shall say so


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments; each is a keyword of `medimg.nodes.fetch`."""
    parser.add_argument("node", metavar="NODE", help="the name of a node (medimg pacs list shows them)")
    parser.add_argument("--output", metavar="FOLDER", type=Path, required=True, help="the folder that gets one folder a study")
    parser.add_argument(
        "--patient-id", metavar="ID", help="the patient's ID, exactly; - reads it from stdin, so that no list of processes has it"
    )
    parser.add_argument("--accession-number", metavar="NUMBER", help="the accession number, exactly; - reads it from stdin")
    parser.add_argument("--study-date", metavar="DATES", help="a day (20240131) or a range (20240101-20240131, 20240101-)")
    parser.add_argument("--modality", metavar="NAME", help="only series of this modality, e.g. CT")
    parser.add_argument("--study-uid", metavar="UID", help="the study of this StudyInstanceUID")
    parser.add_argument("--series-uid", metavar="UID", help="only the series of this SeriesInstanceUID")
    parser.add_argument("--limit-studies", metavar="N", type=int, help="refuse if more studies fit (default: 20)")
    parser.add_argument("--limit-instances", metavar="N", type=int, help="refuse if there are more instances (default: 20000)")
    parser.add_argument("--limit-mib", metavar="MIB", type=int, help="end if more than this comes (default: 16384)")
    parser.add_argument(
        "--pacs-config", metavar="FILE", type=Path, help="nodes to choose from, in place of those of medimg pacs add"
    )
    parser.add_argument("--json", action="store_true", default=False, help="print what came as JSON, as docs/outbox.md describes")
    parser.add_argument("--quiet", action="store_true", default=False, help="show no progress")


def run(args: Namespace) -> int:
    """Call `medimg.nodes.fetch`, show its progress on stderr and what came on stdout."""
    from medimg._tools.command_line import hide
    from medimg.cli import _json, _progress
    from medimg.errors import NodeError
    from medimg.nodes import fetch

    given = options(args, "node", "json", "quiet")
    hide(*(given[name] for name in NAMING if name in given and given[name] != FROM_STDIN))
    for name in NAMING:
        if given.get(name) == FROM_STDIN:
            given[name] = sys.stdin.readline().rstrip("\r\n")
    with _progress.shown(quiet=args.quiet) as progress:
        fetched = fetch(args.node, progress=progress, **given)
    if args.json:
        _json.show(fetched.to_dict())
    else:
        for line in _lines(fetched):
            print(line)
    for study in fetched.studies:
        if not study.is_whole:
            print(f"medimg: {study.name}: {study.reason}", file=sys.stderr)
    return 0 if fetched.is_whole else NodeError.exit_code


def _lines(fetched: Fetched) -> Iterator[str]:
    for study in fetched.studies:
        if study.is_whole:
            yield f"{study.name}: {study.received} instances in {study.folder}"
            for series in study.series:
                yield f"  {series.name}: {series.modality or 'of no modality'}, {series.received} instances"
    if fetched.left_out:
        yield f"left out: {fetched.left_out} studies that {fetched.node} answered with and that do not fit the question"
