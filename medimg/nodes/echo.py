"""`echo`: is a node there, and does it speak to us?"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from medimg.errors import NodeError
from medimg.nodes._config import find_node
from medimg.nodes._node import DimseNode

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.nodes._node import Node


def echo(node: Node | str, *, pacs_config: str | Path | None = None) -> float:
    """Ask a node whether it is there (C-ECHO, or a QIDO-RS search for one study) and return the seconds that it took.

    Args:
        node: a node, or the name of one in the configuration.
        pacs_config: the configuration; by default that of the user's configuration folder.

    Raises:
        NodeError: it is not there, or does not speak to us; the message says why.
        OptionError: there is no node of that name, or its secret or certificates cannot be read.
    """
    if isinstance(node, str):
        node = find_node(node, pacs_config=pacs_config)
    start = perf_counter()
    if isinstance(node, DimseNode):
        _dimse(node)
    else:
        from medimg.nodes._http import Web
        from medimg.nodes._qido import search

        with Web(node) as web:
            search(web, "/studies", {"limit": "1"})
    return perf_counter() - start


def _dimse(node: DimseNode) -> None:
    from medimg.nodes._dimse import EXPLICIT, IMPLICIT, VERIFICATION, associate

    with associate(node, [(VERIFICATION, (IMPLICIT, EXPLICIT))]) as link:
        if link.association is None:
            raise NodeError(f"{node.name} takes the association and no C-ECHO. Send to it without one.", retry=False)
        status = link.association.send_c_echo().get("Status")
        if status is None:
            raise NodeError(f"{node.name} takes the association and did not answer the C-ECHO. Look whether it hangs.")
        if status != 0:
            raise NodeError(f"{node.name} refuses the C-ECHO (status 0x{status:04X}). Look into its log.", retry=False)
