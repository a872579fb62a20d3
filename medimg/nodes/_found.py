"""Ask a node whether it has instances: delivered means found again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medimg.nodes._node import Node


def is_there(
    node: Node, instances: Sequence[tuple[str, str, str]], *, reasons: dict[str, str] | None = None
) -> dict[str, bool | None]:
    """Ask a node which of `instances` it has.

    Args:
        node: whom to ask.
        instances: (StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID) of each.
        reasons: where given, gets for each SOPInstanceUID that could not be asked for why, in a sentence.

    Returns:
        For each SOPInstanceUID: True, it is there; False, it is not; None, the node lets nobody ask, or did not answer.
    """
    raise NotImplementedError
