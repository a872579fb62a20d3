"""Many instances by C-STORE: a few associations at once, transcoding where a peer does not take a file as it is."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

from medimg.errors import NodeError
from medimg.nodes._dimse import CLASS_REFUSED, CONTEXTS_LIMIT, EXPLICIT, IMPLICIT, Link, close, cut, open_link
from medimg.nodes._store import Answer, ChangedError, LostError, store
from medimg.nodes._transcode import TranscodeError, transcode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from medimg.nodes._dimse import Context
    from medimg.nodes._instances import Instance
    from medimg.nodes._node import DimseNode

    Tell = Callable[[int], None]

FEW = 8  # instances that an association is opened for: opening one takes as long as sending a few
LOSSES_LIMIT = 3  # broken associations in a row before a peer is left alone
TELL_S = 0.1
MESSAGES = 0xFFFF  # message numbers are words
CHANGED = "was changed while it was sent; what the node has of it is not known. Send it again when it is finished"


def store_all(node: DimseNode, instances: Sequence[Instance], *, associations: int, tell: Tell) -> dict[str, Answer]:
    """Send instances and return the answer for each by its SOP instance UID; `tell` is called with how many have one."""
    answers: dict[str, Answer] = {}
    for batch in _batches(instances):
        pairs = sorted({(one.class_uid, one.syntax) for one in batch})
        as_they_are: list[Context] = [(abstract, (syntax,)) for abstract, syntax in pairs]
        answers |= _store_batch(node, batch, as_they_are, associations, _from(len(answers), tell), is_last=False)
    again = [one for one in instances if answers[one.instance_uid].is_syntax_refused]
    for batch in _batches(again):
        uncompressed: list[Context] = [(abstract, (EXPLICIT, IMPLICIT)) for abstract in sorted({one.class_uid for one in batch})]
        answers |= _store_batch(node, batch, uncompressed, associations, lambda done: None, is_last=True)
    return answers


def _from(sent: int, tell: Tell) -> Tell:
    """Count on from what was sent before."""
    return lambda done: tell(sent + done)


def _batches(instances: Sequence[Instance]) -> Iterator[list[Instance]]:
    """Part instances so that each part needs no more presentation contexts than an association may have."""
    batch: list[Instance] = []
    pairs: set[tuple[str, str]] = set()
    for one in instances:
        pairs.add((one.class_uid, one.syntax))
        if len(pairs) > CONTEXTS_LIMIT:
            yield batch
            batch, pairs = [], {(one.class_uid, one.syntax)}
        batch.append(one)
    if batch:
        yield batch


def _store_batch(
    node: DimseNode, batch: list[Instance], contexts: list[Context], associations: int, tell: Tell, *, is_last: bool
) -> dict[str, Answer]:
    """Send a batch over as many associations as it is worth."""
    try:
        first = open_link(node, contexts)
    except NodeError as error:
        return {one.instance_uid: Answer(is_taken=False, reason=_clause(error), retry=error.retry) for one in batch}
    work = _Work(node=node, contexts=contexts, todo=deque(batch), is_last=is_last)
    if first.association is None:
        close(first)
        return {one.instance_uid: _refusal(first, one, is_last=is_last) for one in batch}
    count = max(1, min(associations, len(batch) // FEW))
    work.links.append(first)
    links: list[Link | None] = [first, *[None] * (count - 1)]
    with ThreadPoolExecutor(max_workers=count, thread_name_prefix="medimg-store") as pool:
        running = {pool.submit(work.run, link) for link in links}
        try:
            while running:
                done, running = wait(running, timeout=TELL_S)
                tell(len(work.answers))
                for one in done:
                    one.result()
        except BaseException:
            work.end()
            raise
    for instance in work.todo:  # nobody was left to send them
        work.answers[instance.instance_uid] = Answer(is_taken=False, reason=work.trouble, retry=True)
    return work.answers


class _Work:
    """Instances that wait, and the associations that take them one by one."""

    def __init__(self, *, node: DimseNode, contexts: list[Context], todo: deque[Instance], is_last: bool) -> None:
        self.node, self.contexts, self.todo, self.is_last = node, contexts, todo, is_last
        self.answers: dict[str, Answer] = {}
        self.stop = Event()
        self.trouble = ""  # why an association gave up
        self.links: list[Link] = []

    def end(self) -> None:
        """Let nobody wait for the peer any more."""
        self.stop.set()
        for link in self.links:
            cut(link)

    def _open(self) -> Link:
        link = open_link(self.node, self.contexts)
        self.links.append(link)
        return link

    def run(self, link: Link | None) -> None:
        """Send what waits until nothing does, or the peer takes no more."""
        losses, number = 0, 0
        try:
            if link is None:
                link = self._open()  # first: what is taken from the others must have a way out
            while not self.stop.is_set() and losses < LOSSES_LIMIT:
                try:
                    instance = self.todo.popleft()
                except IndexError:
                    return
                for is_last_try in (False, True):
                    try:
                        link = self._open() if link is None else link
                        number = number % MESSAGES + 1
                        self.answers[instance.instance_uid] = self._one(link, instance, number)
                        losses = 0
                        break
                    except (LostError, NodeError) as error:
                        close_quietly(link)
                        link, losses = None, losses + 1
                        self.trouble = _clause(error)
                        if isinstance(error, NodeError) or error.is_timeout:
                            losses = LOSSES_LIMIT
                        if is_last_try or losses >= LOSSES_LIMIT or self.stop.is_set():
                            self.answers[instance.instance_uid] = Answer(
                                is_taken=False, reason=self.trouble, retry=True, is_unclear=True
                            )
                            break
                    except ChangedError:
                        close_quietly(link)
                        link = None
                        self.answers[instance.instance_uid] = Answer(is_taken=False, reason=CHANGED, retry=True)
                        break
        except NodeError as error:  # one association fewer
            self.trouble = self.trouble or _clause(error)
        finally:
            close_quietly(link)

    def _one(self, link: Link, instance: Instance, number: int) -> Answer:
        """Send one instance as it is, or transcoded to what the peer takes."""
        for syntax in (instance.syntax, EXPLICIT, IMPLICIT):
            context_id = link.accepted.get((instance.class_uid, syntax))
            if context_id is None or link.association is None:
                continue
            if syntax == instance.syntax:
                return store(link, instance, context_id, number)
            try:
                content = transcode(instance, syntax)
            except TranscodeError as error:
                return Answer(is_taken=False, reason=f"{link.node.name} does not take it as it is encoded, and it {error}")
            answer = store(link, instance, context_id, number, content=content)
            note = f"sent uncompressed or re-encoded, because {link.node.name} does not take transfer syntax {instance.syntax}"
            return replace(answer, note="; ".join(filter(None, (note, answer.note))))
        return _refusal(link, instance, is_last=self.is_last)


def _refusal(link: Link, instance: Instance, *, is_last: bool) -> Answer:
    """Say why there is no context for an instance."""
    from pydicom.uid import UID

    name = link.node.name
    if link.refused.get(instance.class_uid) == CLASS_REFUSED:
        kind = UID(instance.class_uid).name
        return Answer(is_taken=False, is_class_refused=True, reason=f"{name} does not take objects of this kind ({kind})")
    return Answer(
        is_taken=False,
        is_syntax_refused=not is_last,
        is_class_refused=is_last,  # neither as it is nor uncompressed: some say so of a class that they do not know
        reason=f"{name} takes it neither as it is encoded nor uncompressed",
    )


def _clause(error: Exception) -> str:
    """Return the sentences of an error as they stand in a reason: without the full stop at the end."""
    return str(error).rstrip(".")


def close_quietly(link: Link | None) -> None:
    """Release an association; one that is lost already is no trouble."""
    if link is not None:
        close(link)
