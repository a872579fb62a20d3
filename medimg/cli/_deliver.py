"""`medimg infer` where a node takes part: its results go to one, or its scans come from one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from medimg.cli._parser import options

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from medimg.nodes import RunDelivery
    from medimg.values import RunResult


FROM_STDIN = "?-"  # pacs://NODE?-: the question comes from where no list of processes shows it


def takes_part(args: Namespace) -> bool:
    """Whether a node takes part in what was asked for."""
    from medimg.nodes._query import is_address

    return any(name in args for name in ("send", "outbox", "pacs_config")) or any(map(is_address, args.scan))


def run(args: Namespace) -> tuple[RunResult, RunDelivery]:
    """Call `medimg.nodes.infer_and_send`, and show its progress on stderr."""
    from medimg._tools.command_line import hide
    from medimg.cli import _progress
    from medimg.nodes import infer_and_send
    from medimg.nodes._query import is_address

    hide(*(word.partition("?")[2] for word in args.scan if is_address(word) and not word.endswith(FROM_STDIN)))
    args.scan = [_question(word) if is_address(word) else word for word in args.scan]
    with _progress.shown(quiet=args.quiet) as progress:
        delivery = infer_and_send(*args.scan, progress=progress, **options(args, "scan", "json", "quiet"))
    return delivery.run, delivery


def _question(word: str) -> str:
    """Return an address with the question that it leaves to stdin."""
    return word.removesuffix("-") + sys.stdin.readline().strip() if word.endswith(FROM_STDIN) else word


def lines(delivery: RunDelivery) -> Iterator[str]:
    """Say for each study how its results ended, and what to do about what waits."""
    from medimg.cli import _outbox_lines
    from medimg.nodes._outbox_entry import State

    for study in delivery.studies:
        if not study.error:
            yield f"{study.name} to {delivery.node}: {_outbox_lines.counted(study.entries) if study.entries else 'no objects'}"
            for reason in dict.fromkeys(entry.reason for entry in study.entries if entry.reason):
                yield f"  {reason}"
    if any(study.in_state(State.WAITING, State.SENDING) for study in delivery.studies):
        yield "What waits is in the outbox and is not lost. Send it later with: medimg outbox send"


def exit_code(delivery: RunDelivery) -> int:
    """Return 0 if every object was found again, else the code of the worst; errors go to stderr."""
    from medimg.cli import _outbox_lines

    for study in delivery.studies:
        if study.error:
            print(f"medimg: {study.name}: {study.error}", file=sys.stderr)
    failed = [study.exit_code for study in delivery.studies if study.error]
    return failed[0] if failed else _outbox_lines.exit_code(delivery.entries)
