"""`infer_and_send`: from a scan, here or on a node, to results in an archive."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from medimg.errors import MedimgError, NodeError, OptionError
from medimg.nodes._config import find_node
from medimg.nodes._query import is_address, parse
from medimg.nodes._scratch import scratch
from medimg.nodes.fetch import fetch
from medimg.nodes.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from medimg.nodes._outbox_entry import Entry, State
    from medimg.values import RunResult, StudyResult

    Progress = Callable[[str, int, int], None]

WAIT_S = 600.0  # for another process that sends to the same node
OBJECT = ".dcm"  # the report for people is no object, and stays


@dataclass(frozen=True, kw_only=True)
class StudyDelivery:
    """How the results of one study got on their way.

    Attributes:
        name: the study's short name.
        entries: its objects in the outbox, as they were in the end.
        error: why they are not in the outbox, in words; `exit_code` is the error's.
    """

    name: str
    entries: tuple[Entry, ...] = ()
    error: str = ""
    exit_code: int = 0

    def in_state(self, *states: State) -> tuple[Entry, ...]:
        """Return the entries in these states."""
        return tuple(entry for entry in self.entries if entry.state in states)


@dataclass(frozen=True, kw_only=True)
class RunDelivery:
    """What a run found, and what became of its results.

    Attributes:
        run: what `medimg.infer` returned.
        node: where the results go, "" if nowhere.
        studies: one for each study with results.
        at: the time of all ages in `to_dict`, seconds since 1970.
    """

    run: RunResult
    node: str = ""
    studies: tuple[StudyDelivery, ...] = ()
    at: float = 0.0

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The objects of all studies."""
        return tuple(entry for study in self.studies for entry in study.entries)

    def to_dict(self) -> dict[str, Any]:
        """Return the run as JSON values, and under `delivery` what became of its results."""
        studies = [
            {"name": study.name, "error": study.error, "objects": [entry.to_dict(now=self.at) for entry in study.entries]}
            for study in self.studies
        ]
        return {**self.run.to_dict(), "delivery": {"node": self.node, "studies": studies} if self.node else None}


def infer_and_send(
    *scan: str | Path,
    send: str = "",
    output: str | Path | None = None,
    outbox: str | Path | None = None,
    pacs_config: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> RunDelivery:
    """Run `medimg.infer` over scans that lie here or on a node, and send the results.

    The objects that were written (`seg.dcm`, `sr.dcm`, key images; not the report for people) are put into the outbox, sent, and
    asked for. If the node is down they wait there: nothing is lost, and `medimg outbox send` sends them later.

    Args:
        scan: files and folders, as `medimg.infer` takes them, and addresses of studies on a node:
            `pacs://NODE?PatientID=...&StudyDate=...&Modality=CT` (`medimg.nodes.fetch` says what each means). What comes from a
            node lies in a folder for temporary files during the run.
        send: the node that gets the results; without one nothing is sent.
        output: folder for the results, one folder a study; without one only the outbox has them.
        outbox: the outbox's folder, instead of that in the user's state folder.
        pacs_config: the nodes, instead of those of the user's configuration folder.
        progress: is called with (stage, done, total).
        options: further keywords of `medimg.infer`.

    Raises:
        NodeError: a node that is fetched from is not there, or sent less than it lists: nothing is run on a part of a study.
        OptionError: there is no node of that name, or an address is none.
        OutboxError, WriteError: the outbox is damaged, or may not be written; said before anything is run.
        MedimgError: what `medimg.infer` raises.
    """
    if outbox is not None and not send:
        raise OptionError("outbox", "given without send", "--send NODE with it: only what is sent goes through the outbox")
    if send:
        find_node(send, pacs_config=pacs_config)
    asked = {one: parse(str(one)) for one in scan if is_address(one)}
    for node, _ in asked.values():
        find_node(node, pacs_config=pacs_config)
    with ExitStack() as stack:
        box = stack.enter_context(Outbox(outbox, pacs_config=pacs_config)) if send else None
        folder = stack.enter_context(scratch()) if asked or (send and output is None) else None
        places = [
            _fetched(*asked[one], folder / f"fetched-{number}", pacs_config, progress) if one in asked and folder else one
            for number, one in enumerate(scan)
        ]
        return _run(places, box, send, output, folder, progress, options)


def _run(
    places: list[str | Path],
    box: Outbox | None,
    send: str,
    output: str | Path | None,
    folder: Path | None,
    progress: Progress | None,
    options: dict[str, Any],
) -> RunDelivery:
    from medimg.runs import infer

    written = output if output is not None or box is None or folder is None else folder / "results"
    run = infer(*places, output=written, progress=progress, **options)
    if box is None:
        return RunDelivery(run=run)
    studies = [_put(study, box, send, is_kept=output is not None) for study in run.studies if not study.error]
    entries = [entry for study in studies for entry in study.entries]
    try:
        if entries:
            box.send(send, wait_s=WAIT_S, wanted=entries, progress=progress)
        now = {entry.id: entry for entry in box.again(entries)}
    except MedimgError as error:  # of the outbox: what it holds is safe, and what the run found shall be told all the same
        now = {entry.id: entry for entry in entries}
        studies = [replace(study, error=study.error or str(error), exit_code=error.exit_code) for study in studies]
    studies = [replace(study, entries=tuple(now[entry.id] for entry in study.entries if entry.id in now)) for study in studies]
    if output is None:  # what was written is gone with the folder for temporary files
        run = replace(run, studies=tuple(replace(study, folder=None, files=()) for study in run.studies))
    return RunDelivery(run=run, node=send, studies=tuple(studies), at=box.clock())


def _put(study: StudyResult, box: Outbox, send: str, *, is_kept: bool) -> StudyDelivery:
    """Put the objects of a study into the outbox; a refusal is told with the study, so that the others go on."""
    try:
        return StudyDelivery(name=study.name, entries=box.put([file for file in study.files if file.suffix == OBJECT], send))
    except MedimgError as error:
        kept = "The results are in --output: medimg send sends them." if is_kept else "Nothing of them is kept without --output."
        return StudyDelivery(name=study.name, error=f"{error} {kept}", exit_code=error.exit_code)


def _fetched(node: str, query: Any, folder: Path, pacs_config: str | Path | None, progress: Progress | None) -> Path:
    """Fetch what is asked for, whole.

    Raises:
        NodeError: something of it is missing.
    """
    got = fetch(node, output=folder, pacs_config=pacs_config, progress=progress, **vars(query))
    part = next((study for study in got.studies if not study.is_whole), None)
    if part is not None:
        raise NodeError(f"Nothing was run, because {part.name} did not come whole. {part.reason}")
    return folder
