"""Ask a node whether it has instances: delivered means found again."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING

from medimg.errors import OptionError
from medimg.nodes._node import DimseNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medimg.nodes._dimse_find import Told
    from medimg.nodes._node import Node

    Names = tuple[str, str, str]

PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)  # between two questions: archives index what they took a little later


def is_there(node: Node, instances: Sequence[Names], *, reasons: dict[str, str] | None = None) -> dict[str, bool | None]:
    """Ask a node which of `instances` it has, once.

    Args:
        node: whom to ask: C-FIND or QIDO-RS.
        instances: (StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID) of each.
        reasons: where given, gets for each SOPInstanceUID that could not be asked for why, in a sentence.

    Returns:
        For each SOPInstanceUID: True, it is there; False, it is not; None, the node lets nobody ask, or did not answer.

    Raises:
        OptionError: a UID is none, or the node's secret or certificates cannot be read.
    """
    told = ask(node, instances)
    if reasons is not None:
        reasons.update({uid: one.reason for uid, one in told.items() if one.is_there is None})
    return {uid: one.is_there for uid, one in told.items()}


def ask(node: Node, instances: Sequence[Names]) -> dict[str, Told]:
    """Ask a node which of `instances` it has, once; with the reason where it cannot be asked."""
    from medimg.nodes import _dimse_find, _qido
    from medimg.nodes._instances import UID

    for uid in {uid for names in instances for uid in names}:
        if not UID.fullmatch(uid):  # it becomes a part of an address
            raise OptionError("instances", repr(uid[:64]), "DICOM UIDs")
    if not instances:
        return {}
    return _dimse_find.find(node, instances) if isinstance(node, DimseNode) else _qido.find(node, instances)


def ask_until_found(node: Node, instances: Sequence[Names], *, within_s: float) -> dict[str, Told]:
    """Ask until the node has all of `instances`, lets nobody ask for good, or `within_s` seconds have gone by."""
    end = monotonic() + within_s
    told = ask(node, instances)
    for number in range(1000):
        missing = [names for names in instances if told[names[2]].is_there is False or told[names[2]].retry]
        pause = PAUSES_S[min(number, len(PAUSES_S) - 1)]
        if not missing or monotonic() + pause > end:
            break
        sleep(pause)
        told |= ask(node, missing)
    return told
