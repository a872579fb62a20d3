"""One C-STORE: the bytes of a file as they are, or those of a transcoded data set."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from io import BytesIO
from time import monotonic, sleep
from typing import TYPE_CHECKING

from medimg._tools.text import printable

if TYPE_CHECKING:
    from medimg.nodes._dimse import Link
    from medimg.nodes._instances import Instance

WAITING_PDUS = 32  # that may wait to be sent: half a MiB with PDUs of 16 KiB, so that a large file is never in memory as a whole
PDU_LIMIT = 1 << 17  # where a peer takes longer ones, or says that there is no limit
PAUSE_S = 0.0005
LOOK_S = 0.5  # how often it is looked whether the peer still takes bytes
# PS3.7 annex C and PS3.4 table B.2-1
SUCCESS, DUPLICATE, CLASS_NOT_SUPPORTED, NOT_AUTHORIZED, PROCESSING_FAILURE = 0x0000, 0x0111, 0x0122, 0x0124, 0x0110
WARNINGS = {
    0xB000: "the node changed elements of it (coercion)",
    0xB006: "the node left elements of it out",
    0xB007: "the node says that it does not match its SOP class",
}


class LostError(Exception):
    """The peer broke the association off, or did not answer in time (`is_timeout`); what it has is not known."""

    def __init__(self, sentence: str, *, is_timeout: bool = False) -> None:
        super().__init__(sentence)
        self.is_timeout = is_timeout


class ChangedError(Exception):
    """The file was changed since it was looked at."""


@dataclass(frozen=True)
class Answer:
    """What a peer said of one instance: `is_taken`, why not in words, a note, and whether a later try may succeed."""

    is_taken: bool
    reason: str = ""
    note: str = ""
    retry: bool = False
    is_class_refused: bool = False
    is_refused: bool = False  # this object for good, whatever the reason: another form of it may be taken
    is_syntax_refused: bool = False
    is_unclear: bool = False  # it may be there: only the question afterwards tells
    may_be_taken: bool = False  # the node did not say no, so that it may show it a little later


def store(link: Link, instance: Instance, context_id: int, message_id: int, *, content: bytes | None = None) -> Answer:
    """Send one instance and return the peer's answer.

    Args:
        link: an open association.
        instance: what to send; its own bytes after the file's header are sent as they are.
        context_id: an accepted context of its SOP class, in the transfer syntax of what is sent.
        message_id: another one for each message of the association.
        content: an encoded data set to send in place of the file's own.

    Raises:
        LostError: the association broke, or no answer came in time; the association is at its end.
        ChangedError: the file is not what it was; the association is at its end.
    """
    from pynetdicom.dimse_messages import C_STORE_RQ
    from pynetdicom.dimse_primitives import C_STORE

    assert link.association is not None
    association = link.association
    request = C_STORE()
    request.MessageID = message_id
    request.Priority = 0
    request.AffectedSOPClassUID = instance.class_uid
    request.AffectedSOPInstanceUID = instance.instance_uid
    if content is None:
        request._dataset_path = (instance.file, instance.offset)  # read piece by piece, and not decoded
    else:
        request.DataSet = BytesIO(content)
    message = C_STORE_RQ()
    message.primitive_to_message(request)

    if content is None and not instance.is_unchanged():
        raise ChangedError
    # pynetdicom's own send_c_store queues a whole file in memory, and its clock runs while that is being sent
    for piece in message.encode_msg(context_id, min(association.dimse.maximum_pdu_size or PDU_LIMIT, PDU_LIMIT)):
        _wait_for_room(link)
        association.dul.send_pdu(piece)
    if content is None and not instance.is_unchanged():
        association.abort()
        raise ChangedError
    status = _status(link)
    return answer_of(status, link.node.name)


def _wait_for_room(link: Link) -> None:
    """Wait until few pieces wait to be sent; give up when none of them leaves in time."""
    assert link.association is not None
    waiting = link.association.dul.to_provider_queue
    if waiting.qsize() < WAITING_PDUS:
        return
    before, since = waiting.qsize(), monotonic()
    while waiting.qsize() >= WAITING_PDUS:
        sleep(PAUSE_S)
        if waiting.qsize() != before:
            before, since = waiting.qsize(), monotonic()
        _require_alive(link, since)


def _status(link: Link) -> int:
    """Wait for the answer; the clock runs from the last piece that left."""
    assert link.association is not None
    association = link.association
    before, since = association.dul.to_provider_queue.qsize(), monotonic()
    while True:
        try:
            _, answer = association.dimse.msg_queue.get(timeout=min(LOOK_S, link.node.timeout_s))
        except queue.Empty:
            left = association.dul.to_provider_queue.qsize()
            if left != before:
                before, since = left, monotonic()
            _require_alive(link, since)
            continue
        status = getattr(answer, "Status", None)
        if answer is None or not answer.is_valid_response or not isinstance(status, int):
            association.abort()
            raise LostError(_broken(link))
        return status


def _require_alive(link: Link, since: float) -> None:
    """End the association and raise if it broke, or if nothing moved since `since` for longer than the node may take."""
    assert link.association is not None
    if link.association.acse.is_aborted() or not link.association.dul.is_alive():
        link.association.abort()
        raise LostError(_broken(link))
    if monotonic() - since > link.node.timeout_s:
        link.association.abort()
        raise LostError(
            f"{link.node.name} did not answer within {link.node.timeout_s:g} s while it was being sent to. Try again later.",
            is_timeout=True,
        )


def _broken(link: Link) -> str:
    return f"{link.node.name} broke the connection off while it was being sent to. Try again later."


def answer_of(status: int, name: str) -> Answer:
    """Say a C-STORE status in words (PS3.4 table B.2-1, PS3.7 annex C); a comment may quote the patient and is left out."""
    shown = f"status 0x{status:04X}"
    if status == SUCCESS:
        return Answer(is_taken=True)
    if status in WARNINGS:
        return Answer(is_taken=True, note=f"{WARNINGS[status]}, {shown}")
    if status == DUPLICATE:
        return Answer(is_taken=False, is_unclear=True, reason=f"{name} says that it has it already ({shown})")
    if status >> 8 == 0xA7:
        return Answer(is_taken=False, retry=True, reason=f"{name} is out of resources ({shown}), its disk may be full")
    if status >> 8 == 0xA9:
        words = f"{name} says that the data set does not match its SOP class ({shown})"
        return Answer(is_taken=False, is_refused=True, reason=words)
    if status >> 12 == 0xC:
        return Answer(is_taken=False, is_refused=True, reason=f"{name} says that it cannot understand it ({shown})")
    if status == CLASS_NOT_SUPPORTED:
        return Answer(is_taken=False, is_class_refused=True, reason=f"{name} does not take objects of this kind ({shown})")
    if status == NOT_AUTHORIZED:
        return Answer(is_taken=False, reason=f"{name} does not let us store ({shown})")
    if status == PROCESSING_FAILURE:
        return Answer(is_taken=False, retry=True, reason=f"{name} failed while it stored it ({shown})")
    return Answer(is_taken=False, is_refused=True, reason=f"{name} refuses it ({printable(shown)})")
