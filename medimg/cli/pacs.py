"""`medimg pacs`: which nodes are known, a new one, and whether one is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medimg.cli._parser import options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "List the PACS and archives that are known, add one, or ask one whether it is there."
ACTIONS = ("add", "echo", "list")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments; those of a node are the names in configs/pacs.toml."""
    parser.add_argument("action", metavar="list|add|echo", nargs="?", default="list", help="what to do (default: list)")
    parser.add_argument("name", metavar="NAME", nargs="?", default=None, help="the node to add, or to ask")
    parser.add_argument(
        "--pacs-config",
        metavar="FILE",
        type=Path,
        default=None,
        help="the file of nodes (default: pacs.toml in your configuration folder)",
    )
    parser.add_argument("--json", action="store_true", default=False, help="print it as JSON")
    dimse = parser.add_argument_group("add a PACS that speaks DIMSE")
    dimse.add_argument("--host", metavar="HOST", help="name or address of the machine")
    dimse.add_argument("--port", metavar="PORT", type=int, help="its TCP port")
    dimse.add_argument("--ae-title", metavar="TITLE", help="what it calls itself")
    dimse.add_argument("--own-ae-title", metavar="TITLE", help="what we call ourselves to it (default: MEDIMG)")
    dimse.add_argument("--tls", action="store_true", help="speak TLS")
    dimse.add_argument("--certificate-file", metavar="FILE", type=Path, help="our certificate (PEM), where it wants one")
    dimse.add_argument("--key-file", metavar="FILE", type=Path, help="the key of our certificate (PEM)")
    web = parser.add_argument_group("add an archive that speaks DICOMweb")
    web.add_argument("--url", metavar="URL", help="of its services, such as https://archive.example/dicom-web")
    web.add_argument("--scheme", metavar="basic|bearer", help="how it wants to know who we are (default: not at all)")
    web.add_argument("--user", metavar="NAME", help="whose password it is, for basic")
    web.add_argument(
        "--secret",
        metavar="env:NAME|file:PATH",
        help="where the password or token lies (a file of mode 0600); never the secret itself",
    )
    web.add_argument("--unencrypted", action="store_true", help="let the secret travel over http:// to another machine")
    both = parser.add_argument_group("for both")
    both.add_argument(
        "--ca-file", metavar="FILE", type=Path, help="certificates (PEM) that its own comes from (default: the system's)"
    )
    both.add_argument("--timeout-s", metavar="SECONDS", type=float, help="how long it may take to answer (default: 30)")


def run(args: Namespace) -> int:
    """Do what was asked for."""
    from medimg.cli import _json
    from medimg.errors import OptionError
    from medimg.nodes import echo, find_node, list_nodes

    given = options(args, "action", "name", "json", "pacs_config")
    if args.action not in ACTIONS:
        raise OptionError.unknown("list|add|echo", args.action, ACTIONS)
    if args.action != "add" and given:
        raise OptionError(f"--{min(given).replace('_', '-')}", "given", "it with medimg pacs add only")
    if args.action == "list":
        if args.name is not None:
            raise OptionError("NAME", args.name, f"no name with list; to ask one node: medimg pacs echo {args.name}")
        nodes = list_nodes(pacs_config=args.pacs_config)
        if args.json:
            _json.show([{"name": node.name, "address": node.describe()} for node in nodes])
            return 0
        for node in nodes:
            print(f"{node.name}: {node.describe()}")
        if not nodes:
            print("No node is known yet. Add one: medimg pacs add NAME --host HOST --port PORT --ae-title TITLE, or --url URL.")
        return 0
    if args.name is None:
        raise OptionError("NAME", "left out", f"the node to {'add' if args.action == 'add' else 'ask'}")
    if args.action == "add":
        return _add(args, given)
    node = find_node(args.name, pacs_config=args.pacs_config)
    seconds = echo(node)
    if args.json:
        _json.show({"name": node.name, "address": node.describe(), "seconds": round(seconds, 3)})
    else:
        print(f"{node.name} is there and answers, {seconds:.2f} s ({node.describe()}).")
    return 0


def _add(args: Namespace, given: dict[str, object]) -> int:
    from medimg.cli import _json
    from medimg.nodes import add_node, make_node

    node = make_node(args.name, given)
    path = add_node(node, pacs_config=args.pacs_config)
    if args.json:
        _json.show({"name": node.name, "address": node.describe(), "file": str(path)})
    else:
        print(f"{node.name} is now in {path}: {node.describe()}.")
        print(f"Ask whether it is there: medimg pacs echo {node.name}")
    return 0
