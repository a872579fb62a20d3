"""The parsers of all commands, made from their modules."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from medimg._tools import registry
from medimg.errors import MedimgError, OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOM = "medimg.cli"
EPILOG = "medimg is for research only. It is not a medical device; no diagnosis may rest on it."


class UsageError(MedimgError):
    """The words on the command line do not make a command."""

    exit_code = OptionError.exit_code


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises its complaint, so that every error leaves by the same door."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would have printed, with the remedy."""
        sentence = message[:1].upper() + message[1:]
        raise UsageError(f"{sentence}. See: {self.prog} --help.")


def parser_of(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of one command, or, without a name, that of `medimg` itself.

    Raises:
        OptionError: there is no such command; the nearest one is the remedy.
    """
    if command is None:
        return _front()
    module = registry.load(ROOM, command, option="COMMAND")
    parser = Parser(
        prog=f"medimg {command}",
        description=module.SUMMARY,
        epilog=EPILOG,
        allow_abbrev=False,  # an abbreviation that works today is ambiguous tomorrow
        argument_default=argparse.SUPPRESS,  # defaults are stated once, in the signature of the function behind
    )
    module.add_arguments(parser)
    _add_global(parser)
    parser.set_defaults(run=module.run)
    return parser


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the words after `medimg`; `run` of the result is the command's function.

    Raises:
        UsageError, OptionError: what is wrong, and the nearest thing that is right.
    """
    command = next((word for word in arguments if not word.startswith("-")), None)
    if command is None:
        parser = _front()
        args, rest = parser.parse_known_args(arguments)
        _refuse_unknown(parser, rest)
        if not arguments:
            parser.print_help()
            return argparse.Namespace(run=lambda _: 0)
        parser.error("a command is missing")
    words = list(arguments)
    words.remove(command)
    parser = parser_of(command)
    args, rest = parser.parse_known_args(words)
    _refuse_unknown(parser, rest)
    return args


def options(args: argparse.Namespace, *without: str) -> dict[str, Any]:
    """Return the options that were given, as keywords for the function behind; `without` are those of the command alone."""
    own = {"run", "debug", *without}
    return {name: value for name, value in vars(args).items() if name not in own}


def _front() -> argparse.ArgumentParser:
    commands = registry.names(ROOM)
    width = max(map(len, commands))
    lines = [f"  {name:<{width}}  {registry.load(ROOM, name, option='COMMAND').SUMMARY}" for name in commands]
    parser = Parser(
        prog="medimg",
        usage="medimg [--help] [--version] COMMAND ...",
        description="Find, outline, rate and explain lesions in medical scans.\n\ncommands (medimg COMMAND --help says more):\n"
        + "\n".join(lines),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_global(parser)
    return parser


def _add_global(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("for every command")
    group.add_argument("--version", action=_Version, help="print medimg's version and exit")
    group.add_argument(
        "--debug",
        action="store_true",
        default=False,
        help="show the traceback and the warnings of libraries; these may hold patient data",
    )


def _refuse_unknown(parser: argparse.ArgumentParser, rest: Sequence[str]) -> None:
    if not rest:
        return
    if rest[0].startswith("-"):
        name = rest[0].split("=", 1)[0]
        raise OptionError.unknown("option", name, parser._option_string_actions)
    parser.error(f"{rest[0]!r} is one word too many")


class _Version(argparse.Action):
    """Print the version; it is looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, **keywords: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **{**keywords, "default": argparse.SUPPRESS})

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import medimg

        print(f"medimg {medimg.__version__}")
        parser.exit()
