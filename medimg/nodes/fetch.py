"""`fetch`: find studies on a node and pull them, whole or not at all."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools.files import whole_folder
from medimg._tools.identity import short_name
from medimg._tools.text import printable
from medimg.errors import NodeError, OptionError, ScanError, WriteError
from medimg.nodes._config import find_node
from medimg.nodes._dimse_find import COUNT_DIGITS
from medimg.nodes._fetched import Fetched, FetchedSeries, FetchedStudy, Listed
from medimg.nodes._instances import UID
from medimg.nodes._node import DimseNode
from medimg.nodes._query import Query
from medimg.nodes._receive import Budget, Receiver
from medimg.nodes._unlogged import unlogged

if TYPE_CHECKING:
    from collections.abc import Callable

    from medimg.nodes._fetch_dimse import DimseSource
    from medimg.nodes._fetch_web import WebSource
    from medimg.nodes._node import Node

    Progress = Callable[[str, int, int], None]

PRIVATE_FOLDER = 0o700  # images with names in them
SHOWN = 16  # characters of a modality


def fetch(
    node: Node | str,
    *,
    output: str | Path,
    patient_id: str = "",
    accession_number: str = "",
    study_date: str = "",
    modality: str = "",
    study_uid: str = "",
    series_uid: str = "",
    limit_studies: int = 20,
    limit_instances: int = 20_000,
    limit_mib: int = 16_384,
    pacs_config: str | Path | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Find studies on a node (C-FIND, or QIDO-RS) and pull them (C-GET, or WADO-RS) into a folder.

    What is there is listed first, instance by instance; what comes is compared with the list, and a study is put into `output`
    (`study-.../series-.../000001.dcm`) only if it came whole. Files are named by a counter: no name comes from the node.

    Args:
        node: a node, or the name of one in the configuration.
        output: the folder that gets one folder a study.
        patient_id: PatientID, exactly: no wildcard, which would match other patients.
        accession_number: AccessionNumber, exactly.
        study_date: a day (20240131), or a range of days (20240101-20240131, 20240101-, -20240131).
        modality: pull series of this modality only, e.g. "CT".
        study_uid: StudyInstanceUID.
        series_uid: pull the series of this SeriesInstanceUID only.
        limit_studies: refuse if more studies than this fit.
        limit_instances: refuse if there are more instances than this.
        limit_mib: end if more than this comes.
        pacs_config: the configuration; by default that of the user's configuration folder.
        progress: is called with (stage, done, total).

    Returns:
        What came. A study of which something is missing is in it with the reason, and has no folder.

    Raises:
        NodeError: the node is not there, lets us not ask, or sends too much.
        ScanError: nothing there fits.
        OptionError: a value cannot be, nothing narrows the question, or more fits than the limits allow.
        WriteError: the disk refuses, or a study's folder is there already.
    """
    query = Query(
        patient_id=patient_id,
        accession_number=accession_number,
        study_date=study_date,
        modality=modality,
        study_uid=study_uid,
        series_uid=series_uid,
    )
    limits = {"limit_studies": limit_studies, "limit_instances": limit_instances, "limit_mib": limit_mib}
    for name, limit in limits.items():
        if limit < 1:
            raise OptionError(name, limit, "a number of 1 or more")
    found = find_node(node, pacs_config=pacs_config) if isinstance(node, str) else node
    start = time.perf_counter()
    tell = progress or (lambda stage, done, total: None)
    tell("ask", 0, 1)
    source = _source(found)
    with unlogged(), source.asking():
        listed, left_out = _list(source, found.name, query, limits)
    for study in listed:
        _require_free(Path(output) / short_name("study", study))
    total = sum(len(series.instances) for of_study in listed.values() for series in of_study)
    budget = Budget(found.name, limit_mib)
    studies: list[FetchedStudy] = []
    done = 0
    with unlogged(), source.pulling():
        for study, of_study in listed.items():
            pull = _Pull(source, found.name, query, budget, partial(_tell, tell, done, total))
            studies.append(pull.study(study, of_study, Path(output) / short_name("study", study)))
            done += studies[-1].expected
    return Fetched(node=found.name, studies=tuple(studies), left_out=left_out, seconds=time.perf_counter() - start)


def _tell(tell: Progress, before: int, total: int, count: int) -> None:
    tell("fetch", before + count, total)


def _source(node: Node) -> DimseSource | WebSource:
    from medimg.nodes._fetch_dimse import DimseSource
    from medimg.nodes._fetch_web import WebSource

    return DimseSource(node) if isinstance(node, DimseNode) else WebSource(node)


def _list(
    source: DimseSource | WebSource, name: str, query: Query, limits: dict[str, int]
) -> tuple[dict[str, list[Listed]], int]:
    """Return the series that fit, by the UID of their study, and how many studies were answered that do not fit.

    Raises:
        ScanError: none fits.
        OptionError: more fit than may.
        NodeError: an answer names no UID, or what is listed need not be all.
    """
    fitting: dict[str, str] = {}
    left_out = 0
    for answer in source.studies(query):  # some peers pass over what they do not know and answer with everything they have
        if not query.fits_study(answer):
            left_out += 1
            continue
        fitting[_uid(name, answer["StudyInstanceUID"])] = answer["PatientID"].strip()
        if len(fitting) > limits["limit_studies"]:
            raise OptionError("limit_studies", limits["limit_studies"], "more, or a question that fewer studies fit")
    listed: dict[str, list[Listed]] = {}
    room = limits["limit_instances"]
    for study_uid, patient_id in fitting.items():
        of_study: list[Listed] = []
        for series in list(source.series(study_uid)):
            if query.fits_series(series):
                of_study.append(_listed(source, name, study_uid, patient_id, series, room, limits["limit_instances"]))
                room -= len(of_study[-1].instances)
        if any(series.instances for series in of_study):
            listed[study_uid] = [series for series in of_study if series.instances]
    if not listed:
        what = "study with series" if fitting else "study"
        raise ScanError(
            f"{name} has no {what} that fits the question. Check the ID, the date and the modality; "
            "IDs are compared letter by letter."
        )
    return listed, left_out


def _listed(
    source: DimseSource | WebSource,
    name: str,
    study_uid: str,
    patient_id: str,
    series: dict[str, str],
    room: int,
    limit: int,
) -> Listed:
    """Return a series with what the node says is in it.

    Raises:
        OptionError: there are more instances than there is room for.
        NodeError: it lists fewer than it says there are, so that a part would look like the whole.
    """
    series_uid = _uid(name, series["SeriesInstanceUID"])
    instances: dict[str, str] = {}
    for one in source.instances(study_uid, series_uid):
        instances[_uid(name, one["SOPInstanceUID"])] = one["SOPClassUID"]
        if len(instances) > room:
            raise OptionError("limit_instances", limit, "more, or a question that fewer instances fit")
    count = series["NumberOfSeriesRelatedInstances"].strip()
    is_count = count.isdecimal() and len(count) <= COUNT_DIGITS
    if (is_count and int(count) > len(instances)) or (not is_count and not instances):
        holds = f"holds {int(count)} instances" if is_count else "is there"
        raise NodeError(
            f"{name} says that a series {holds} and lists {len(instances)} instances of it. "
            "Try again later, or ask whoever runs it."
        )
    return Listed(
        study_uid=study_uid,
        series_uid=series_uid,
        modality=series["Modality"],
        instances=instances,
        patient_id=patient_id,
    )


class _Pull:
    """Pulls studies into folders."""

    def __init__(
        self, source: DimseSource | WebSource, node: str, query: Query, budget: Budget, tell: Callable[[int], None]
    ) -> None:
        self.source, self.node, self.query, self.budget, self.tell = source, node, query, budget, tell
        self.unlisted = 0  # instances of the study that came and are in no list

    def study(self, study_uid: str, listed: list[Listed], folder: Path) -> FetchedStudy:
        """Pull a study; the folder is there afterwards if all of it came, and not if anything is missing."""
        series: list[FetchedSeries] = []
        reasons: list[str] = []
        self.unlisted = 0
        made = FetchedStudy(name=short_name("study", study_uid), series=())
        try:
            with whole_folder(folder) as unfinished:
                unfinished.chmod(PRIVATE_FOLDER)
                for one in listed:
                    series.append(self._series(one, unfinished / one.name, reasons, before=sum(each.received for each in series)))
                made = replace(made, series=tuple(series), added=self.unlisted)
                if made.is_whole:
                    made = replace(made, added=self._added(study_uid, listed))
                if not made.is_whole:
                    raise _PartialError
        except _PartialError:
            if self.unlisted:
                more = f"It sent {self.unlisted} that it did not list: they came to the node meanwhile, or its list is not whole."
                reasons.insert(0, f"{more} Try again later, or ask for less.")
            elif made.added:
                reasons.append("More of it came to the node meanwhile. Try again when it has all of it.")
            counts = f"lists {made.expected} instances of it and sent {made.received}"
            reason = f"{self.node} {counts}, so nothing of it was kept.{''.join(f' {one}' for one in reasons[:1])}"
            return replace(made, reason=reason)
        return replace(made, folder=folder)

    def _added(self, study_uid: str, listed: list[Listed]) -> int:
        """Return how many instances the node lists now and did not list before: a study that still arrives is no whole one."""
        before = {uid for one in listed for uid in one.instances}
        with self.source.asking():
            fitting = [one for one in list(self.source.series(study_uid)) if self.query.fits_series(one)]
            now = [self.source.instances(study_uid, _uid(self.node, one["SeriesInstanceUID"])) for one in fitting]
            return sum(one["SOPInstanceUID"] not in before for of_series in now for one in of_series)

    def _series(self, listed: Listed, folder: Path, reasons: list[str], *, before: int) -> FetchedSeries:
        folder.mkdir(mode=PRIVATE_FOLDER)
        receiver = Receiver(listed, folder, budget=self.budget, tell=lambda count: self.tell(before + count))
        reason = self.source.pull(receiver)
        self.unlisted += len(receiver.unlisted)
        if receiver.missing and receiver.unasked:
            reason = f"{self.node} sent {receiver.unasked} objects that are not those that it was asked for. {reason}".rstrip()
        if receiver.of_others:
            reason = f"{self.node} sent {receiver.of_others} objects with another patient's ID in them than it lists them under."
        if receiver.missing and reason:
            reasons.append(reason)
        return FetchedSeries(
            name=listed.name,
            modality=printable(listed.modality)[:SHOWN],
            expected=len(listed.instances),
            received=len(receiver.received),
            syntaxes=tuple(sorted(receiver.syntaxes)),
        )


class _PartialError(Exception):
    """Something of a study is missing."""


def _uid(name: str, value: str) -> str:
    """Return a UID that a node answered with, which may stand in a path of a URL.

    Raises:
        NodeError: it is none.
    """
    if not UID.fullmatch(value):
        raise NodeError(f"{name} answers with what is no UID. Look whether it is a DICOM archive.", retry=False)
    return value


def _require_free(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise WriteError(f"{folder.name} is there already, and is not replaced. Give another --output, or move it away.")
