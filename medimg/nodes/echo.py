"""`echo`: is a node there, and does it speak to us?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.nodes._node import Node


def echo(node: Node | str, *, pacs_config: str | Path | None = None) -> float:
    """Ask a node whether it is there (C-ECHO, or a QIDO-RS search of limit 1) and return the seconds that it took.

    Raises:
        NodeError: it is not there, or does not speak to us; the message says why.
        OptionError: there is no node of that name.
    """
    raise NotImplementedError
