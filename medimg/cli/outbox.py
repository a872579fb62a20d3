"""`medimg outbox`: what is on its way to the archives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from medimg.nodes import Outbox
    from medimg.nodes._outbox_entry import Entry

SUMMARY = "Show what is on its way to the archives, send what waits, give it up, or remove what arrived."
ACTIONS = ("list", "send", "retry", "give-up", "purge")
WAIT_S = 600.0  # for another process that sends to the same node


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "action", metavar="list|send|retry|give-up|purge", nargs="?", default="list", help="what to do (default: list)"
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="*",
        default=[],
        help="short names of studies or objects, as list shows them; by default all of them",
    )
    parser.add_argument("--node", metavar="NODE", default=None, help="only what goes to this node")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why it is given up; no patient data")
    parser.add_argument(
        "--accepted", action="store_true", default=False, help="purge also what a node took and lets nobody ask for"
    )
    parser.add_argument(
        "--given-up", action="store_true", default=False, help="purge also what was given up: nothing is left of it then"
    )
    parser.add_argument(
        "--outbox", metavar="FOLDER", type=Path, default=None, help="where the outbox lies, instead of the user's state folder"
    )
    parser.add_argument(
        "--pacs-config", metavar="FILE", type=Path, default=None, help="the nodes, instead of those of the user's configuration"
    )
    parser.add_argument("--json", action="store_true", default=False, help="print it as JSON, as docs/outbox.md describes")


def run(args: Namespace) -> int:
    """Do one of the actions and print the entries that it concerned."""
    from medimg.cli import _json, _outbox_lines
    from medimg.errors import OptionError
    from medimg.nodes import Outbox

    if args.action not in ACTIONS:
        raise OptionError.unknown("list|send|retry|give-up|purge", args.action, ACTIONS)
    with Outbox(args.outbox, pacs_config=args.pacs_config) as outbox:
        entries, words = _act(outbox, args)
        if args.json:
            _json.show(outbox.to_dict(entries))
        else:
            print(f"{words}: {_outbox_lines.counted(entries)}")
            for line in _outbox_lines.lines(entries, now=outbox.clock()):
                print(line)
        left = _left(outbox, args, entries) if args.action == "send" else ()
        return _outbox_lines.exit_code((*entries, *left)) if args.action in ("send", "retry") else 0


def _left(outbox: Outbox, args: Namespace, tried: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return what waits and was not tried, and say it: nothing was sent, and yet not all has arrived."""
    from medimg.nodes._outbox_entry import State

    known = {entry.id for entry in tried}
    left = [one for one in outbox.entries(node=args.node, states=(State.WAITING, State.SENDING)) if one.id not in known]
    if left and not args.json:
        print(f"not due yet, or sent by another process: {len(left)}. To send what waits now: medimg outbox retry")
    return tuple(left)


def _act(outbox: Outbox, args: Namespace) -> tuple[tuple[Entry, ...], str]:
    """Return the entries concerned, and what was done to them in a word."""
    from medimg.errors import OptionError

    if args.action in ("send", "purge") and args.name:
        raise OptionError("NAME", args.name[0], f"no name with {args.action}, or retry, which sends what it names")
    if args.action == "send":
        done = outbox.send(args.node)
        for node in done.busy:
            print(f"medimg: another process sends to {node} at this moment, and what waits for it.", file=sys.stderr)
        return done.tried, "tried"
    if args.action == "retry":
        chosen = outbox.retry(*args.name, node=args.node)
        for node in dict.fromkeys(entry.node for entry in chosen):
            outbox.send(node, wanted=chosen, wait_s=WAIT_S)
        return outbox.again(chosen), "tried"
    if args.action == "give-up":
        return outbox.give_up(*args.name, reason=args.reason, node=args.node), "stopped"
    if args.action == "purge":
        return outbox.purge(accepted=args.accepted, given_up=args.given_up, node=args.node), "removed"
    return outbox.entries(*args.name, node=args.node), "outbox"
