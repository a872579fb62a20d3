"""An archive in memory that does what it is told, and a clock: for how the outbox decides, not for how it speaks to a node."""

from __future__ import annotations

from medimg.errors import NodeError, ScanError
from medimg.nodes._delivery import Delivery, Outcome, Sent
from medimg.nodes.send import SAID_YES


class Archive:
    """Stands in for an archive at the border of `medimg.nodes.send`; what it is told to do stands in its attributes."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.received: list[str] = []  # every arrival, twice if something came twice
        self.asked: list[str] = []
        self.is_up = True
        self.lets_ask = True
        self.refuses: set[str] = set()
        self.chokes_on: set[str] = set()
        self.dies_when_asked = False
        self.is_slow = False  # it takes what it is sent, and does not show it yet
        self.drops = False  # it takes what it is sent, and does not have it
        self.is_shut = False  # refuses everybody for good: a certificate, a token, an AE title
        self.dies_after: int | None = None  # arrivals, then as Ctrl-C does

    def send(self, files, node, *, progress=None, **_options):
        import pydicom

        sent = []
        for file in files:
            header = pydicom.dcmread(file, stop_before_pixels=True)
            uid = str(header.SOPInstanceUID)
            if uid in self.chokes_on:
                raise ScanError("A file cannot be sent. Write it anew.")
            if not self.is_up:
                outcome, reason = Outcome.FAILED, "The node archive does not answer. Try again later."
            elif self.is_shut:
                outcome, reason = Outcome.FAILED, "The node shows a certificate that is not trusted."
            elif uid in self.refuses:
                outcome, reason = Outcome.FAILED, "The node refuses objects of this kind. Send another kind."
            else:
                if self.dies_after is not None and len(self.received) >= self.dies_after:
                    raise KeyboardInterrupt
                self.received.append(uid)
                if not self.drops:
                    self.stored.setdefault(uid, file.read_bytes())
                outcome, reason = (Outcome.FOUND, "") if self.lets_ask else (Outcome.ACCEPTED, "It lets nobody ask.")
                if self.drops or self.is_slow:
                    outcome, reason = Outcome.FAILED, f"{node.name} {SAID_YES}"
            retry = outcome is Outcome.FAILED and not self.is_up
            sent.append(
                Sent(
                    instance_uid=uid,
                    class_uid=str(header.SOPClassUID),
                    file=file,
                    outcome=outcome,
                    reason=reason,
                    retry=retry,
                )
            )
        self.is_up = self.is_up and not self.dies_when_asked
        return Delivery(node=node.name, sent=tuple(sent))

    def echo(self, node, **_options):
        if not self.is_up or self.is_shut:
            raise NodeError("The node archive is down. Start it.")
        return 0.0

    def is_there(self, node, instances, *, reasons=None):
        self.asked += [instance for _, _, instance in instances]
        if not self.is_up or not self.lets_ask:
            return {instance: None for _, _, instance in instances}
        return {instance: instance in self.stored for _, _, instance in instances}


class Clock:
    def __init__(self) -> None:
        self.now = 1.7e9

    def __call__(self) -> float:
        return self.now
