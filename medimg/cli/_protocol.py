"""What a command is: a module in this folder, its file name is its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


class Command(Protocol):
    """A module with a summary, its arguments, and what it does."""

    SUMMARY: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the command's arguments to its parser; every option has the name of the Python keyword behind it."""

    def run(self, args: Namespace) -> int:
        """Do it and return the exit code."""
