"""`send`: DICOM files to a node, and the proof that they arrived."""

from __future__ import annotations

import mmap
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from medimg.errors import OptionError
from medimg.nodes._config import find_node
from medimg.nodes._delivery import Delivery, Outcome, Sent
from medimg.nodes._found import ask_until_found
from medimg.nodes._instances import LABEL_MAP_SEGMENTATION, gather
from medimg.nodes._node import DimseNode
from medimg.values import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from medimg.nodes._dimse_find import Told
    from medimg.nodes._instances import Instance
    from medimg.nodes._node import Node
    from medimg.nodes._store import Answer

    Progress = Callable[[str, int, int], None]

ASSOCIATIONS_LIMIT = 16
HELD_BACK = "held back: it is only for those who do not take the label map of the same outlines"
SAID_YES = "said that it took it, and does not have it when asked"


def send(
    path: str | Path | Sequence[str | Path],
    node: Node | str,
    *,
    pacs_config: str | Path | None = None,
    associations: int = 4,
    found_within_s: float = 10,
    progress: Progress | None = None,
) -> Delivery:
    """Send the DICOM instances at `path` to a node, and ask it afterwards whether it has them.

    The bytes of a file's data set are sent as they are; where the node does not take their transfer syntax, they are sent
    uncompressed, and it is said. A label map SEG that the node does not take is replaced by the `seg_binary.dcm` beside it, and
    the report that refers to it by its `sr_binary.dcm`.

    Args:
        path: a folder, a file, or several of either; what is no DICOM file is not sent, and `Delivery.skipped` says so.
        node: a node, or the name of one in the configuration.
        pacs_config: the configuration; by default that of the user's configuration folder.
        associations: how many associations a DIMSE node is sent to at once at most, 1 to 16.
        found_within_s: how long the node may take to show what it said that it took.
        progress: is called with (stage, done, total).

    Returns:
        How it ended for each instance; a node that is down is no exception but an outcome, with `retry` set.

    Raises:
        ScanError: there is no DICOM instance at `path`.
        OptionError: there is no node of that name, its secret or certificates cannot be read, or an option has a value that
            cannot be.
    """
    start = perf_counter()
    tell = progress or (lambda stage, done, total: None)
    if not 1 <= associations <= ASSOCIATIONS_LIMIT:
        raise OptionError("associations", associations, f"a number from 1 to {ASSOCIATIONS_LIMIT}")
    if not 0 <= found_within_s < 86400:
        raise OptionError("found_within_s", found_within_s, "seconds, 0 or more")
    if isinstance(node, str):
        node = find_node(node, pacs_config=pacs_config)
    gathered = gather([path] if isinstance(path, str | Path) else list(path))
    instances = list(gathered.instances)
    total = len(instances)
    tell("send", 0, total)
    # First it must be known whether the node takes the label map of a folder: what refers to it has two forms as well
    has_two = [one for one in instances if one.instance_uid in gathered.instead_of]
    later = [one for one in has_two if one.class_uid != LABEL_MAP_SEGMENTATION]
    first = [one for one in instances if one not in later]
    answers = _store(node, first, associations, lambda done: tell("send", done, total))

    refused = [one for one in has_two if one not in later and _is_refused(answers[one.instance_uid])]
    folders = {one.file.parent: answers[one.instance_uid].reason for one in refused}
    skipped = list(gathered.skipped)
    stands_for: dict[str, Instance] = {}
    for one in has_two:
        other = gathered.instead_of[one.instance_uid]
        if one.file.parent in folders:
            stands_for[other.instance_uid] = one
            instances[instances.index(one)] = other
            skipped.append(Skipped(what=one.name, reason=folders[one.file.parent]))
        else:
            skipped.append(Skipped(what=other.name, reason=HELD_BACK))
    rest = [one for one in instances if one.instance_uid not in answers]
    if rest:
        answers |= _store(node, rest, associations, lambda done: None)

    asked = [one for one in instances if answers[one.instance_uid].is_taken or answers[one.instance_uid].is_unclear]
    is_any_taken = any(answers[one.instance_uid].is_taken or answers[one.instance_uid].may_be_taken for one in asked)
    within_s = found_within_s if is_any_taken else 0.0  # of what broke off it is enough to ask once
    tell("ask", 0, len(asked))
    told = ask_until_found(node, [(one.study_uid, one.series_uid, one.instance_uid) for one in asked], within_s=within_s)
    tell("ask", len(asked), len(asked))

    sent = [
        _end(one, answers[one.instance_uid], told.get(one.instance_uid), stands_for.get(one.instance_uid), node)
        for one in instances
    ]
    sent = [_with_gaps_said(one, list(stands_for.values())) for one in sent]
    sent += [
        Sent(instance_uid="", class_uid="", file=bad.file, outcome=Outcome.FAILED, reason=f"was not sent: it {bad.reason}")
        for bad in gathered.damaged
    ]
    return Delivery(node=node.name, sent=tuple(sent), skipped=tuple(skipped), seconds=perf_counter() - start)


def _is_refused(answer: Answer) -> bool:
    """Say whether the binary form is to be sent: many say of a label map that they cannot understand it, and take any class."""
    return answer.is_class_refused or answer.is_refused


def _with_gaps_said(sent: Sent, refused: Sequence[Instance]) -> Sent:
    """Say of an object that it refers to a label map that the node did not take (a structured report does)."""
    for one in refused:
        if sent.in_place_of != one.instance_uid and sent.outcome is not Outcome.FAILED and _holds(sent.file, one.instance_uid):
            note = f"refers to {one.name}, which is not there: the binary one in its place has another UID"
            sent = replace(sent, note="; ".join(filter(None, (sent.note, note))))
    return sent


def _holds(file: Path, uid: str) -> bool:
    """Say whether the bytes of a file hold a UID."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(uid.encode("ascii")) >= 0


def _store(node: Node, instances: Sequence[Instance], associations: int, tell: Callable[[int], None]) -> dict[str, Answer]:
    """Send by what the node speaks."""
    if isinstance(node, DimseNode):
        from medimg.nodes._dimse_send import store_all

        return store_all(node, instances, associations=associations, tell=tell)
    from medimg.nodes._stow import stow_all

    return stow_all(node, instances, tell=tell)


def _why(refused: Instance, node: Node) -> str:
    """Say why the other form of an object was sent."""
    is_map = refused.class_uid == LABEL_MAP_SEGMENTATION
    return f"whose kind {node.name} does not take" if is_map else f"which refers to a label map that {node.name} does not take"


def _end(one: Instance, answer: Answer, told: Told | None, in_place_of: Instance | None, node: Node) -> Sent:
    """Put together what the node said of an instance when it was sent, and when it was asked."""
    notes = [f"sent in place of {in_place_of.name}, {_why(in_place_of, node)}"] if in_place_of else []
    if answer.note:
        notes.append(answer.note)
    outcome, reason, retry = Outcome.FAILED, answer.reason, answer.retry
    if told is not None and told.is_there:
        outcome, reason, retry = Outcome.FOUND, "", False
        if not answer.is_taken:
            notes.append(f"found there, although {answer.reason}")
    elif answer.is_taken and told is not None and told.is_there is None:
        outcome, reason, retry = Outcome.ACCEPTED, told.reason, told.retry
    elif answer.is_taken:
        reason, retry = f"{node.name} {SAID_YES}", False
    return Sent(
        instance_uid=one.instance_uid,
        class_uid=one.class_uid,
        file=one.file,
        outcome=outcome,
        reason=reason,
        note="; ".join(notes),
        in_place_of=in_place_of.instance_uid if in_place_of else "",
        retry=retry,
    )
