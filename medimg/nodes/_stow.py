"""Many instances by STOW-RS (PS3.18 section 10.5): streamed, and judged by what the answer lists, not by its status."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from medimg.errors import NodeError
from medimg.nodes._dicom_xml import data_sets_of
from medimg.nodes._http import Web, refusal
from medimg.nodes._store import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from medimg.nodes._instances import Instance
    from medimg.nodes._node import WebNode

    Tell = Callable[[int], None]

BATCH_BYTES, BATCH_INSTANCES = 64 << 20, 100  # of one request; one larger instance is a request of its own
PIECE = 1 << 18
REFERENCED, FAILED, UID, REASON, WARNING = "00081199", "00081198", "00081155", "00081197", "00081196"
FAILURE = 500
OF_THE_CONTENT = (400, 409, 413, 415, FAILURE)  # refusals that may mean one instance of several
# PS3.18 table I.2-2 and PS3.3 section C.14.1.1
CLASS_NOT_SUPPORTED = 0x0122
REASONS = {
    0x0110: ("it failed while it stored it", True),
    0x0111: ("it has it already", False),
    0x0124: ("it does not let us store", False),
    0xC122: ("it does not take this transfer syntax", False),
}
OF_OTHERS = (0x0111, 0x0124)  # which say nothing of the object's form


class _ChangedError(Exception):
    """A file was changed while it was sent."""


def stow_all(node: WebNode, instances: Sequence[Instance], *, tell: Tell) -> dict[str, Answer]:
    """Send instances and return the answer for each by its SOP instance UID; `tell` is called with how many have one."""
    answers: dict[str, Answer] = {}
    with Web(node) as web:
        for batch in _batches(instances):
            try:
                answers |= _request(web, batch)
            except NodeError as error:
                reason = str(error).rstrip(".")
                told = {one.instance_uid: Answer(is_taken=False, reason=reason, retry=error.retry) for one in instances}
                is_unclear = error.retry or len(batch) > 1  # some of it may have arrived; what comes after would fare no better
                broken = Answer(is_taken=False, reason=reason, retry=error.retry, is_unclear=is_unclear)
                under_way = dict.fromkeys((one.instance_uid for one in batch), broken)
                return {**told, **under_way, **answers}
            tell(len(answers))
    return answers


def _batches(instances: Sequence[Instance]) -> Iterator[list[Instance]]:
    batch: list[Instance] = []
    for one in instances:
        if batch and (len(batch) == BATCH_INSTANCES or sum(each.size for each in batch) + one.size > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _request(web: Web, batch: list[Instance]) -> dict[str, Answer]:
    """Send a batch in one request; where the node refuses the request as a whole, one by one, to see which it means.

    Raises:
        NodeError: it is not there, or refuses us whatever we send.
    """
    changed = {one.instance_uid for one in batch if not one.is_unchanged()}
    answers = dict.fromkeys(changed, Answer(is_taken=False, reason="was changed since it was looked at", retry=True))
    batch = [one for one in batch if one.instance_uid not in changed]
    if not batch:
        return answers
    boundary = secrets.token_hex(16)
    length = sum(len(_head(boundary)) + one.size + 2 for one in batch) + len(_end(boundary))
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Content-Length": str(length),
    }
    try:
        with web.request("POST", "/studies", headers=headers, body=_body(batch, boundary)) as response:
            status = response.status
            content = web.read(response) if status not in (401, 403, 404) else b""
    except _ChangedError:
        reason = "was changed while it was sent, or was sent beside one that was; what the node has of it is not known"
        return answers | {one.instance_uid: Answer(is_taken=False, reason=reason, retry=True, is_unclear=True) for one in batch}
    told = _told(_data_sets(content), web.node)
    if not told and status in OF_THE_CONTENT and len(batch) > 1:
        for one in batch:
            answers |= _request(web, [one])
        return answers
    if not told and not 200 <= status < 300:
        if status in OF_THE_CONTENT:
            is_failure = status == FAILURE
            words = "failed while it stored it" if is_failure else "refuses it"
            reason = f"{web.node.name} {words} (HTTP {status}) and does not say why"
            answer = Answer(is_taken=False, reason=reason, retry=is_failure, is_unclear=is_failure, is_refused=not is_failure)
            return answers | {batch[0].instance_uid: answer}
        raise refusal(web.node, status)
    silent = f"{web.node.name} answered HTTP {status} and named it neither among what it stored nor among what failed"
    unnamed = Answer(is_taken=False, reason=silent, is_unclear=True, may_be_taken=200 <= status < 300)
    return answers | {one.instance_uid: told.get(one.instance_uid, unnamed) for one in batch}


def _head(boundary: str) -> bytes:
    return f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")


def _end(boundary: str) -> bytes:
    return f"--{boundary}--\r\n".encode("ascii")


def _body(batch: list[Instance], boundary: str) -> Iterator[bytes]:
    """Give the body piece by piece: files are not read into memory as a whole."""
    for one in batch:
        yield _head(boundary)
        left = one.size
        try:
            file = one.file.open("rb")
        except OSError as error:
            raise _ChangedError from error
        with file:
            while left:
                piece = file.read(min(PIECE, left))
                if not piece:
                    raise _ChangedError
                left -= len(piece)
                yield piece
        if not one.is_unchanged():
            raise _ChangedError
        yield b"\r\n"
    yield _end(boundary)


def _data_sets(content: bytes) -> list[dict[str, Any]]:
    """Return the data sets of an answer: one, or one a study, in JSON as we want it, or in XML as some give it all the same."""
    if content.lstrip().startswith((b"<", b"\xef\xbb\xbf<")):
        return data_sets_of(content)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return []
    return [one for one in (values if isinstance(values, list) else [values]) if isinstance(one, dict)]


def _told(data_sets: Sequence[dict[str, Any]], node: WebNode) -> dict[str, Answer]:
    """Read what was stored, what failed and why (PS3.18 section 10.5.3)."""
    told: dict[str, Answer] = {}
    for item in [item for one in data_sets for item in _items(one, FAILED)]:
        reason = _number(item, REASON)
        shown = f"failure reason 0x{reason:04X}" if reason is not None else "without a reason"
        words, retry = REASONS.get(reason or 0, ("it refuses it", (reason or 0) >> 8 == 0xA7))
        words = "it is out of resources" if (reason or 0) >> 8 == 0xA7 else words
        is_class = reason == CLASS_NOT_SUPPORTED
        words = "it does not take objects of this kind" if is_class else words
        told[_text(item, UID)] = Answer(
            is_taken=False,
            reason=f"{node.name} says that {words} ({shown})",
            retry=retry,
            is_class_refused=is_class,
            is_refused=not retry and reason not in OF_OTHERS,
            is_unclear=reason == 0x0111,
        )
    for item in [item for one in data_sets for item in _items(one, REFERENCED)]:
        warning = _number(item, WARNING)
        note = f"the node changed it or left elements out (warning 0x{warning:04X})" if warning else ""
        told[_text(item, UID)] = Answer(is_taken=True, note=note)
    return told


def _items(content: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    element = content.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []


def _value(item: dict[str, Any], tag: str) -> Any:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _text(item: dict[str, Any], tag: str) -> str:
    return str(_value(item, tag) or "").strip("\0 ")


def _number(item: dict[str, Any], tag: str) -> int | None:
    try:
        return int(_value(item, tag))
    except (TypeError, ValueError):
        return None
