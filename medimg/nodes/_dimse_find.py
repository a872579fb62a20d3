"""Ask a PACS by C-FIND which instances it has."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from medimg.errors import NodeError
from medimg.nodes._dimse import EXPLICIT, IMPLICIT, VERIFICATION, Link, associate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from medimg.nodes._node import DimseNode

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
LISTED = 16  # UIDs in one question; more than that, and all of the series are asked for
PENDING = (0xFF00, 0xFF01)
SUCCESS = 0x0000
ANSWERS_LIMIT = 100_000  # of one question; a series does not hold more
COUNT_DIGITS = 12  # PS3.5 section 6.2, IS
QUESTION_S = 900.0  # for one question: each answer may take the node's timeout, and all of them together not for ever


@dataclass(frozen=True)
class Told:
    """What a node says of one instance: it is there, it is not, or (None) nobody can tell and why."""

    is_there: bool | None
    reason: str = ""
    retry: bool = False


class UnansweredError(Exception):
    """A question was not answered; `is_over` says that the association is at its end, `retry` that it may be answered later."""

    def __init__(self, sentence: str, *, is_over: bool, retry: bool = False) -> None:
        super().__init__(sentence)
        self.is_over, self.retry = is_over, retry


def find(node: DimseNode, instances: Sequence[tuple[str, str, str]]) -> dict[str, Told]:
    """Ask for instances, each (study, series, instance UID), and return what the node says of each instance UID."""
    told: dict[str, Told] = {}
    series: dict[tuple[str, str], list[str]] = {}
    for study_uid, series_uid, instance_uid in instances:
        series.setdefault((study_uid, series_uid), []).append(instance_uid)
    try:
        with associate(node, [(STUDY_ROOT_FIND, (EXPLICIT, IMPLICIT))]) as link:
            if link.association is None:
                reason = f"{node.name} takes no questions (it does not offer C-FIND to us)"
                return {uid: Told(None, reason) for _, _, uid in instances}
            for (study_uid, series_uid), uids in series.items():
                try:
                    told |= _of_series(link, study_uid, series_uid, uids)
                except UnansweredError as error:
                    if error.is_over and not error.retry:
                        _require_alive(node)  # one that was killed drops an association just so
                    told |= {uid: Told(None, str(error), retry=error.retry) for uid in uids}
                    if error.is_over:
                        break
    except NodeError as error:
        left = Told(None, str(error).rstrip("."), retry=error.retry)
        return {uid: told.get(uid, left) for _, _, uid in instances}
    left = next((one for one in told.values() if one.is_there is None), Told(None, "the question was not answered"))
    return {uid: told.get(uid, left) for _, _, uid in instances}


def _require_alive(node: DimseNode) -> None:
    """Raise NodeError unless the node still takes associations."""
    with associate(node, [(VERIFICATION, (IMPLICIT,))]):
        pass


def _of_series(link: Link, study_uid: str, series_uid: str, uids: list[str]) -> dict[str, Told]:
    """Ask for instances of one series: by name where they are few, then for all, then one by one, then whether there are any."""
    above = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
    try:
        there = (_some(link, above, uids) or set()) if len(uids) <= LISTED else set()
        if not there.issuperset(uids):  # more than a list holds; or a peer that does not understand a list
            every = _some(link, above, [])
            there |= every or set()
            if every is None or every:  # it need not be all: some give a part of a long list, and refuse the rest, or say nothing
                for uid in [uid for uid in uids if uid not in there]:
                    there |= _instances(link, above, [uid])
        return {uid: Told(uid in there) for uid in uids}
    except UnansweredError as error:
        if error.is_over:
            raise
        count = _count(link, above)
        if count is None:
            raise
        if count == 0:
            return {uid: Told(False) for uid in uids}
        # however many there are: they may be those that it had before
        reason = f"{link.node.name} only says that the series holds {count} instances, not which"
        return {uid: Told(None, reason) for uid in uids}


def _some(link: Link, above: dict[str, str], uids: list[str]) -> set[str] | None:
    """Return the instances that are there, None if the peer refuses the question."""
    try:
        return _instances(link, above, uids)
    except UnansweredError as error:
        if error.is_over:
            raise
        return None


def _instances(link: Link, above: dict[str, str], uids: list[str]) -> set[str]:
    answers = ask(link, {"QueryRetrieveLevel": "IMAGE", **above, "SOPInstanceUID": "\\".join(uids)})
    return {word(answer, "SOPInstanceUID") for answer in answers if is_of(answer, above)}


def is_of(answer: Any, above: Mapping[str, str]) -> bool:
    """Say whether an answer is of the study and series that were asked for: some peers pass over these keys."""
    return all(word(answer, keyword) in ("", uid) for keyword, uid in above.items())


def word(answer: Any, keyword: str) -> str:
    """Return a value of an answer as words, several parted by a backslash; "" if there is none, or none that can be read."""
    try:
        value = answer.get(keyword)
        several = isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue"
        return "\\".join(map(str, value)) if several else "" if value is None else str(value)
    except Exception:  # noqa: BLE001 - pydicom decodes only now, and what cannot be decoded raises anything
        return ""


def _count(link: Link, above: dict[str, str]) -> int | None:
    """Return how many instances a series holds, None if the node does not say."""
    answers = list(ask(link, {"QueryRetrieveLevel": "SERIES", **above, "NumberOfSeriesRelatedInstances": ""}))
    same = [answer for answer in answers if word(answer, "SeriesInstanceUID") == above["SeriesInstanceUID"]]
    if not same:
        return 0
    count = word(same[0], "NumberOfSeriesRelatedInstances").strip()
    return int(count) if count.isdecimal() and len(count) <= COUNT_DIGITS else None


def ask(link: Link, keys: dict[str, str]) -> Iterator[Any]:
    """Ask one question by C-FIND (study root) and yield the answers as pydicom data sets; whoever stops early ends the link.

    Args:
        link: an open association with an accepted context for it.
        keys: by keyword; a value that is empty is asked for, any other must match.

    Raises:
        UnansweredError: the node refused, gave an answer that cannot be read, answers without an end, or broke the association
            off; its words are a reason for people.
    """
    from pydicom.dataset import Dataset

    assert link.association is not None
    name = link.node.name
    if not link.association.is_established:
        raise UnansweredError(f"{name} broke the association off", is_over=True)
    identifier = Dataset()
    for keyword, value in keys.items():
        setattr(identifier, keyword, value.split("\\") if "\\" in value else value)
    yield from _answers(link, link.association.send_c_find(identifier, STUDY_ROOT_FIND))


def _answers(link: Link, responses: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
    assert link.association is not None
    name, since = link.node.name, monotonic()
    end = since + QUESTION_S
    for number, (status, answer) in enumerate(responses):
        code = status.get("Status")
        if code is None and monotonic() - since >= link.node.timeout_s:
            raise UnansweredError(f"{name} did not answer a question within {link.node.timeout_s:g} s", is_over=True, retry=True)
        if code is None:
            raise UnansweredError(
                f"{name} took the association and dropped it when it was asked, as archives do with an AE title that they do not "
                f"know: let it know {link.node.own_ae_title}",
                is_over=True,
            )
        if code == SUCCESS:
            return
        if code not in PENDING:
            raise UnansweredError(f"{name} refuses the question (C-FIND status 0x{code:04X})", is_over=False)
        why = _unusable(number, answer, end)
        if why:
            link.association.abort()
            raise UnansweredError(f"{name} {why}", is_over=True)
        yield answer
        since = monotonic()


def _unusable(number: int, answer: Any, end: float) -> str:
    """Say why nothing can be made of an answer and those before it, "" if something can."""
    if answer is None:  # left out, it would make a list that looks whole
        return "gave an answer to a question that cannot be read"
    if number >= ANSWERS_LIMIT:
        return f"gave more than {ANSWERS_LIMIT} answers to one question"
    return f"answers one question for more than {QUESTION_S:g} s" if monotonic() > end else ""
