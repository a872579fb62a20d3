"""Find by QIDO-RS and pull by WADO-RS (PS3.18 sections 10.4 and 10.6)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from medimg.errors import NodeError
from medimg.nodes._http import Web, refusal
from medimg.nodes._multipart import Event, MultipartError, boundary_of, split
from medimg.nodes._qido import search
from medimg.nodes._receive import TooMuchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from medimg.nodes._node import WebNode
    from medimg.nodes._query import Query
    from medimg.nodes._receive import Receiver

PAGE = 500  # answers of one question; archives have limits of their own, so more are asked for until none come
LEAST_CUT = 10  # answers: no archive cuts its lists shorter than this
COUNT_DIGITS = 10  # of a number of answers that can be meant
ANSWERS_LIMIT = 100_000  # in all: nobody's study holds more
ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'  # as it is stored: nothing is re-encoded for us
TAGS = {  # keyword -> tag, as DICOM JSON names it
    "PatientID": "00100020",
    "AccessionNumber": "00080050",
    "StudyDate": "00080020",
    "ModalitiesInStudy": "00080061",
    "Modality": "00080060",
    "StudyInstanceUID": "0020000D",
    "SeriesInstanceUID": "0020000E",
    "SOPInstanceUID": "00080018",
    "SOPClassUID": "00080016",
    "NumberOfStudyRelatedSeries": "00201206",
    "NumberOfSeriesRelatedInstances": "00201209",
}


class WebSource:
    """A DICOMweb node that is asked and pulled from."""

    def __init__(self, node: WebNode) -> None:
        self.node = node
        self._web = Web(node)
        self._counts: dict[str, str] = {}  # of each study and series, how many it says to have below it

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let it be asked for the time of the block."""
        with self._web:
            yield

    pulling = asking

    def studies(self, query: Query) -> Iterator[dict[str, str]]:
        """Yield what the node answers to a question for studies, by keyword."""
        count = "1" if query.study_uid else ""
        for study in self._all("/studies", query.study_keys, {}, uid="StudyInstanceUID", count=count):
            self._counts[study["StudyInstanceUID"]] = study["NumberOfStudyRelatedSeries"]
            yield study

    def series(self, study_uid: str) -> Iterator[dict[str, str]]:
        """Yield the series of a study, by keyword."""
        path, above, count = f"/studies/{study_uid}/series", {"StudyInstanceUID": study_uid}, self._counts.get(study_uid, "")
        for series in self._all(path, {}, above, uid="SeriesInstanceUID", count=count):
            self._counts[series["SeriesInstanceUID"]] = series["NumberOfSeriesRelatedInstances"]
            yield series

    def instances(self, study_uid: str, series_uid: str) -> Iterator[dict[str, str]]:
        """Yield the instances of a series, by keyword."""
        above = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        path, count = f"/studies/{study_uid}/series/{series_uid}/instances", self._counts.get(series_uid, "")
        return self._all(path, {}, above, uid="SOPInstanceUID", count=count)

    def pull(self, receiver: Receiver) -> str:
        """Have the series of `receiver` sent; return why something is missing, "" if nothing is known.

        Raises:
            TooMuchError, WriteError: what is said so.
        """
        listed = receiver.listed
        place = f"/studies/{listed.study_uid}/series/{listed.series_uid}"
        reason = self._pull(place, receiver)
        for uid in receiver.missing:  # one bad instance can end the whole answer; the others may come by themselves
            reason = self._pull(f"{place}/instances/{uid}", receiver) or reason
        return reason

    def _pull(self, path: str, receiver: Receiver) -> str:
        name = self.node.name
        try:
            with self._web.request("GET", path, accept=ACCEPT) as response:
                if response.status != 200:
                    return str(refusal(self.node, response.status))
                boundary = boundary_of(response.headers.get("Content-Type", ""))
                _save(split(_counted(self._web.stream(response), receiver), boundary), receiver)
        except MultipartError as error:
            return f"{name} gave an answer that cannot be read: {error}."
        except NodeError as error:
            if isinstance(error, TooMuchError):
                raise
            return str(error)
        return ""

    def _all(
        self, path: str, keys: Mapping[str, str], above: Mapping[str, str], *, uid: str, count: str
    ) -> Iterator[dict[str, str]]:
        """Yield all answers to a search, page by page, each once; not those that are said to be of another study or series.

        An archive that shows what it has shown already passes over the offset. Its list is whole where it holds as many as there
        are said to be (`count`, "" if nobody said it), or so few that nobody would cut it there.

        Raises:
            NodeError: the answers come to no end, or to one that need not be theirs: a list that only looks whole is none.
        """
        name = self.node.name
        seen: set[str] = set()
        while True:
            page = [_words(one) for one in search(self._web, path, {**keys, "limit": str(PAGE), "offset": str(len(seen))})]
            if not all(one[uid] for one in page):
                raise NodeError(f"{name} gives answers without a {uid}. Look whether it is a DICOM archive.", retry=False)
            new = {one[uid]: one for one in page if one[uid] not in seen}
            is_counted = count.strip().isdecimal() and len(count) < COUNT_DIGITS and len(seen) >= int(count)
            if not new and (len(page) == PAGE or (len(page) >= LEAST_CUT and not is_counted)):
                raise NodeError(
                    f"{name} shows its first {len(page)} answers again in place of what comes after them, so that there may be "
                    "more. Ask for less, or for one study by its UID.",
                    retry=False,
                )
            if not new:
                return
            seen |= set(new)
            if len(seen) > ANSWERS_LIMIT:
                raise NodeError(f"{name} gives more than {ANSWERS_LIMIT} answers to one question. Ask for less.", retry=False)
            yield from (one for one in new.values() if all(one[key] in ("", value) for key, value in above.items()))


def _counted(pieces: Iterator[bytes], receiver: Receiver) -> Iterator[bytes]:
    for piece in pieces:
        receiver.budget.count(len(piece))
        yield piece


def _save(events: Iterator[tuple[Event, bytes]], receiver: Receiver) -> None:
    for event, _ in events:
        if event is Event.BEGIN:
            with receiver.file() as write:
                for inner, piece in events:
                    if inner is Event.END:
                        break
                    write(piece)


def _words(answer: dict[str, Any]) -> dict[str, str]:
    """Return the values of an answer in DICOM JSON as words, several parted by a backslash."""
    words = {}
    for keyword, tag in TAGS.items():
        element = answer.get(tag)
        values = element.get("Value") if isinstance(element, dict) else None
        words[keyword] = "\\".join(str(value) for value in values if value is not None) if isinstance(values, list) else ""
    return words
