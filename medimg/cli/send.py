"""`medimg send`: DICOM files to a PACS or archive, and the proof that they arrived."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medimg.cli._parser import options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

    from medimg.nodes import Delivery, Sent

SUMMARY = "Send DICOM files to a PACS or archive, and ask it afterwards whether it has them."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments; each is a keyword of `medimg.nodes.send`."""
    parser.add_argument(
        "path", metavar="PATH", nargs="+", type=Path, help="a folder or a file; of a folder, the DICOM files in it are sent"
    )
    parser.add_argument("node", metavar="NODE", help="the name of a node (medimg pacs list shows them)")
    parser.add_argument(
        "--pacs-config", metavar="FILE", type=Path, help="nodes to choose from, in place of those of medimg pacs add"
    )
    parser.add_argument("--associations", metavar="N", type=int, help="how many DIMSE associations at once at most (default: 4)")
    parser.add_argument(
        "--found-within-s",
        metavar="SECONDS",
        type=float,
        help="how long the node may take to show what it said that it took (default: 10)",
    )
    parser.add_argument(
        "--json", action="store_true", default=False, help="print the delivery as JSON, as docs/commands.md describes"
    )
    parser.add_argument("--quiet", action="store_true", default=False, help="show no progress")


def run(args: Namespace) -> int:
    """Call `medimg.nodes.send`, show its progress on stderr and how it ended on stdout."""
    from medimg.cli import _json, _progress
    from medimg.nodes import send

    with _progress.shown(quiet=args.quiet) as progress:
        delivery = send(args.path, args.node, progress=progress, **options(args, "path", "node", "json", "quiet"))
    if args.json:
        _json.show(delivery.to_dict())
    else:
        for line in lines(delivery):
            print(line)
    return exit_code(delivery)


def exit_code(delivery: Delivery) -> int:
    """Return 0 if all was found again, the code for what is not proven, for what may yet succeed, or for what will not."""
    from medimg.errors import NOT_PROVEN, DeliveryError, NodeError
    from medimg.nodes import Outcome

    failed = delivery.of(Outcome.FAILED)
    if failed:
        return NodeError.exit_code if all(sent.retry for sent in failed) else DeliveryError.exit_code
    return NOT_PROVEN if delivery.of(Outcome.ACCEPTED) else 0


def lines(delivery: Delivery) -> Iterator[str]:
    """Say a delivery in a sentence for each way that it ended."""
    from medimg.nodes import Outcome

    found = delivery.of(Outcome.FOUND)
    if found:
        yield f"{_count(len(found))} sent to {delivery.node} and found again there, {delivery.seconds:.1f} s."
    for outcome, begin in ((Outcome.ACCEPTED, "sent to {node}, not proven"), (Outcome.FAILED, "not delivered to {node}")):
        for reason, some in _by(delivery.of(outcome), "reason").items():
            yield f"{_count(len(some))} {begin.format(node=delivery.node)}: {reason} ({_names(some)})."
    for note, some in _by(tuple(sent for sent in delivery.sent if sent.note), "note").items():
        yield f"  note: {_names(some)}: {note}"
    for item in delivery.skipped[:SHOWN]:
        yield f"  not sent: {item.what}: {item.reason}"
    if len(delivery.skipped) > SHOWN:
        yield f"  not sent: {len(delivery.skipped) - SHOWN} more; --json names them all"


SHOWN = 10
NAMES_SHOWN = 3


def _count(number: int) -> str:
    return "1 instance" if number == 1 else f"{number} instances"


def _by(sent: Sequence[Sent], what: str) -> dict[str, list[Sent]]:
    """Put together what ended in the same way."""
    groups: dict[str, list[Sent]] = {}
    for one in sent:
        groups.setdefault(getattr(one, what), []).append(one)
    return groups


def _names(some: Sequence[Sent]) -> str:
    from medimg._tools.text import printable

    names = ", ".join(printable(one.file.name) for one in some[:NAMES_SHOWN])
    return f"{names} and {len(some) - NAMES_SHOWN} more" if len(some) > NAMES_SHOWN else names
