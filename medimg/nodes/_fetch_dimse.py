"""Find by C-FIND and pull by C-GET (PS3.4 annex C), in the study root model."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from medimg.errors import MedimgError, NodeError
from medimg.nodes._dimse import CONTEXTS_LIMIT, EXPLICIT, IMPLICIT, Link, associate
from medimg.nodes._dimse_find import PENDING, STUDY_ROOT_FIND, SUCCESS, UnansweredError, ask, is_of, word
from medimg.nodes._receive import TooMuchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from medimg.nodes._dimse import Context
    from medimg.nodes._node import DimseNode
    from medimg.nodes._query import Query
    from medimg.nodes._receive import Receiver

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
LISTED = 32  # UIDs in one question for single instances
# Each in a context of its own, so that the node may send every instance as it is stored (PS3.5 annex A)
SYNTAXES = (
    EXPLICIT,
    IMPLICIT,
    "1.2.840.10008.1.2.1.99",  # deflated
    "1.2.840.10008.1.2.2",  # big endian
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",  # JPEG-LS
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",  # JPEG 2000
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",  # HTJ2K
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.5",  # RLE
)
CLASSES_AT_ONCE = (CONTEXTS_LIMIT - 1) // len(SYNTAXES)
SERIES_KEYS = ("SeriesInstanceUID", "Modality", "NumberOfSeriesRelatedInstances")
STUDY_KEYS = ("PatientID", "AccessionNumber", "StudyDate", "ModalitiesInStudy", "StudyInstanceUID")
IN_MEMORY_MIB = 2048  # of one instance: pynetdicom holds it as a whole
SILENCES = 20  # times the node's timeout that a C-GET may go on without anything that was asked for
OUT_OF_RESOURCES, NOT_WANTED = 0xA700, 0xA900  # statuses of C-STORE (PS3.4 table B.2-1)


class DimseSource:
    """A DIMSE node that is asked and pulled from."""

    def __init__(self, node: DimseNode) -> None:
        self.node = node
        self._link: Link | None = None

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let it be asked for the time of the block.

        Raises:
            NodeError: it is not there, or takes no questions.
        """
        with associate(self.node, [(STUDY_ROOT_FIND, (EXPLICIT, IMPLICIT))]) as link:
            if link.association is None:
                raise NodeError(f"{self.node.name} takes no questions: it does not offer C-FIND to us.", retry=False)
            self._link = link
            yield
            self._link = None

    @contextmanager
    def pulling(self) -> Iterator[None]:
        """Let it be pulled from for the time of the block; each series has an association of its own."""
        yield

    def studies(self, query: Query) -> Iterator[dict[str, str]]:
        """Yield what the node answers to a question for studies, by keyword; whoever stops early ends the block."""
        return self._ask({"QueryRetrieveLevel": "STUDY", **dict.fromkeys(STUDY_KEYS, ""), **query.study_keys})

    def series(self, study_uid: str) -> Iterator[dict[str, str]]:
        """Yield the series of a study, by keyword."""
        above = {"StudyInstanceUID": study_uid}
        return self._ask({"QueryRetrieveLevel": "SERIES", **above, **dict.fromkeys(SERIES_KEYS, "")}, above)

    def instances(self, study_uid: str, series_uid: str) -> Iterator[dict[str, str]]:
        """Yield the instances of a series, by keyword."""
        above = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        return self._ask({"QueryRetrieveLevel": "IMAGE", **above, "SOPInstanceUID": "", "SOPClassUID": ""}, above)

    def pull(self, receiver: Receiver) -> str:
        """Have the series of `receiver` sent; return why something is missing, "" if nothing is known.

        An instance of a class that was not proposed would end the whole C-GET (Orthanc: status 0xC000, and what came before it):
        the classes are known from the question for instances, and each is proposed. What is missing after that is asked for once
        more, by name.

        Raises:
            TooMuchError, WriteError: what is said so.
        """
        reason = ""
        known = sorted({name for name in receiver.listed.instances.values() if name})
        parts = [known[first : first + CLASSES_AT_ONCE] for first in range(0, len(known), CLASSES_AT_ONCE)] or [[]]
        if len(known) < len(set(receiver.listed.instances.values())):
            parts.append([])  # some say no class: the usual ones are proposed
        for number, classes in enumerate(parts):
            wanted = [uid for uid in receiver.missing if not classes or receiver.listed.instances[uid] in classes]
            reason = self._pull(receiver, classes, [] if len(parts) == 1 and not number else wanted) or reason
            left = [uid for uid in wanted if uid in receiver.missing]
            for first in range(0, len(left), LISTED):
                reason = self._pull(receiver, classes, left[first : first + LISTED]) or reason
        return reason if receiver.missing else ""

    def _pull(self, receiver: Receiver, classes: list[str], uids: list[str]) -> str:
        """Pull single instances, or, without any, the whole series, over an association of its own."""
        from pydicom.dataset import Dataset
        from pynetdicom import evt

        contexts: list[Context] = [(STUDY_ROOT_GET, (EXPLICIT, IMPLICIT))]
        contexts += [(name, (syntax,)) for name in classes for syntax in SYNTAXES]
        contexts += [] if classes else [(name, SYNTAXES) for name in _usual()]
        received = list(dict.fromkeys(name for name, _ in contexts[1:]))
        keys = Dataset()
        keys.QueryRetrieveLevel = "IMAGE" if uids else "SERIES"
        keys.StudyInstanceUID, keys.SeriesInstanceUID = receiver.listed.study_uid, receiver.listed.series_uid
        if uids:
            keys.SOPInstanceUID = uids
        taker = _Taker(receiver)
        try:
            with associate(self.node, contexts, received=received) as link:
                if link.association is None or not any(name == STUDY_ROOT_GET for name, _ in link.accepted):
                    return f"{self.node.name} does not offer C-GET to us."
                link.association.bind(evt.EVT_C_STORE, taker.take)
                link.association.bind(evt.EVT_DATA_RECV, taker.count)
                responses = link.association.send_c_get(keys, STUDY_ROOT_GET)
                status = _last(responses, taker, within_s=SILENCES * self.node.timeout_s)
                if taker.trouble is not None or (status in PENDING):
                    link.association.abort()
        except NodeError as error:
            return str(error)
        finally:
            taker.check()
        return self._words(status)

    def _words(self, status: int | None) -> str:
        if status == SUCCESS:
            return ""
        if status in PENDING:
            return f"{self.node.name} went on without sending anything that it was asked for. Look whether it hangs."
        if status is None:
            return (
                f"{self.node.name} broke the association off while it sent. Try again later, or let it know "
                f"{self.node.own_ae_title}."
            )
        return f"{self.node.name} could not send everything (C-GET status 0x{status:04X})."

    def _ask(self, keys: dict[str, str], above: Mapping[str, str] = MappingProxyType({})) -> Iterator[dict[str, str]]:
        assert self._link is not None
        if not all(value.isascii() for value in keys.values()):
            keys = {"SpecificCharacterSet": "ISO_IR 192", **keys}
        try:
            for answer in ask(self._link, keys):
                if is_of(answer, above):
                    yield {keyword: word(answer, keyword) for keyword in keys}
        except UnansweredError as error:
            raise NodeError(f"{error}.", retry=error.retry) from error


class _Taker:
    """Takes what a C-GET brings; its methods are called by pynetdicom, which swallows what they raise."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.trouble: MedimgError | None = None
        self.taken_at = monotonic()  # when something came that was asked for
        self._in_memory = 0

    def take(self, event: Any) -> int:
        """Write one instance to the disk and answer with a status."""
        from pydicom.filewriter import write_file_meta_info

        if self.trouble is not None:
            return OUT_OF_RESOURCES
        request, self._in_memory = event.request, 0
        before = len(self.receiver.received)
        try:
            with self.receiver.file(claimed_uid=str(request.AffectedSOPInstanceUID)) as write:
                write(b"\0" * 128 + b"DICM")
                write(_meta(event.file_meta, write_file_meta_info))
                write(request.DataSet.getbuffer())
        except MedimgError as error:
            self.trouble = error
            return OUT_OF_RESOURCES
        if len(self.receiver.received) == before:
            return NOT_WANTED
        self.taken_at = monotonic()
        return SUCCESS

    def count(self, event: Any) -> None:
        """Note what came, and close the line when it is too much."""
        try:
            self._in_memory += len(event.data)
            self.receiver.budget.count(len(event.data))
            if self._in_memory > IN_MEMORY_MIB << 20:
                raise TooMuchError(
                    f"{self.receiver.budget.node} sends an object of more than {IN_MEMORY_MIB} MiB, which over DIMSE would have "
                    "to be held in memory. Fetch it over DICOMweb.",
                    retry=False,
                )
        except MedimgError as error:
            self.trouble = self.trouble or error
            held = event.assoc.dul.socket
            if held is not None:
                held.close()

    def check(self) -> None:
        """Raise what went wrong while something was taken."""
        if self.trouble is not None:
            raise self.trouble


def _meta(meta: Any, write_file_meta_info: Any) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    write_file_meta_info(buffer, meta)
    return buffer.getvalue()


def _last(responses: Iterable[tuple[Any, Any]], taker: _Taker, *, within_s: float) -> int | None:
    """Return the last status of a C-GET, None if there is none; one of PENDING if nothing came for too long."""
    for status, _ in responses:
        code: int | None = status.get("Status")
        if code not in PENDING or monotonic() - taker.taken_at > within_s:
            return code
    return None


def _usual() -> list[str]:
    """Return the storage classes that are met most often; as many as an association has room for."""
    from pynetdicom.presentation import StoragePresentationContexts

    names = [str(context.abstract_syntax) for context in StoragePresentationContexts]
    return names[: CONTEXTS_LIMIT - 1]
