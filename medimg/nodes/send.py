"""`send`: DICOM files to a node, and the proof that they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from medimg.nodes._delivery import Delivery
    from medimg.nodes._node import Node

    Progress = Callable[[str, int, int], None]


def send(
    path: str | Path | Sequence[str | Path],
    node: Node | str,
    *,
    pacs_config: str | Path | None = None,
    associations: int = 4,
    progress: Progress | None = None,
) -> Delivery:
    """Send the DICOM instances at `path` to a node, and ask it afterwards whether it has them.

    Args:
        path: a folder, a file, or several of either; what is not a DICOM instance is not sent, and `Delivery.skipped` says so.
        node: a node, or the name of one in the configuration.
        pacs_config: the configuration; by default that of the user's configuration folder.
        associations: how many associations a DIMSE node is sent to at once at most, 1 to 16.
        progress: is called with (stage, done, total).

    Returns:
        How it ended for each instance; a node that is down is no exception but an outcome, with `retry` set.

    Raises:
        ScanError: there is no DICOM instance at `path`.
        OptionError: there is no node of that name, or an option has a value that cannot be.
    """
    raise NotImplementedError
