"""`medimg models`: which models there are, and what they say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

SUMMARY = "List the models, or show the card of one."
ACTIONS = ("list", "show")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", metavar="list|show", nargs="?", default="list", help="what to do (default: list)")
    parser.add_argument("name", metavar="NAME", nargs="?", default=None, help="the model to show, by name or by its folder")
    parser.add_argument("--json", action="store_true", default=False, help="print it as JSON")


def run(args: Namespace) -> int:
    """Print the list or the card."""
    from medimg.cli import _json
    from medimg.errors import OptionError
    from medimg.models import load_package, names

    if args.action not in ACTIONS:
        raise OptionError.unknown("list|show", args.action, ACTIONS)
    if args.action == "show":
        if args.name is None:
            raise OptionError("NAME", "left out", f"the model to show, one of: {', '.join(names())}")
        card = load_package(args.name).card.to_dict()
        _json.show(card) if args.json else _print(_lines(card))
        return 0
    if args.name is not None:
        raise OptionError("NAME", args.name, f"no name with list; for one model: medimg models show {args.name}")
    cards = [load_package(name).card for name in names()]
    if args.json:
        _json.show(
            [{"name": card.name, "version": card.version, "summary": card.summary, "licence": card.licence} for card in cards]
        )
    else:
        _print(f"{card.name} {card.version}: {card.summary}" for card in cards)
    return 0


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        print(line)


def _lines(value: Any, *, indent: int = 0) -> Iterator[str]:
    """Say a card's nested values as indented lines."""
    pad = "  " * indent
    for name, item in value.items():
        if isinstance(item, dict):
            yield f"{pad}{name}:"
            yield from _lines(item, indent=indent + 1)
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            yield f"{pad}{name}:"
            for entry in item:
                yield from _lines(entry, indent=indent + 1)
                yield ""
        elif isinstance(item, list):
            yield f"{pad}{name}: {', '.join(map(str, item))}"
        else:
            yield f"{pad}{name}: {' '.join(str(item).split())}"
