"""What pynetdicom leaves open: sockets set up and closed, answers that only one thread takes, lengths that are not believed."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.association import Association
    from pynetdicom.transport import AssociationSocket

    from medimg.nodes._node import DimseNode

RECEIVED_LIMIT = 256 << 20  # bytes of an association that only brings answers; one that brings instances has a budget
RECEIVED_PDU_LIMIT = 1 << 20  # we say 16 KiB; pynetdicom reads into memory whatever length a peer's PDU claims
LOOK_S = 0.1
PIECE = 1 << 16


class Checkpoint:
    """Stands in for the event at which pynetdicom stops its reactor thread, and keeps it stopped for a whole association.

    pynetdicom stops the thread for each message and lets it go on behind it, and tells that it has stopped by a flag that can be
    stale: on a busy machine the thread then takes an answer off the queue that somebody else waits for, in vain. Stopped once and
    for all it cannot; who waits for an answer looks for aborts and broken connections as well.
    """

    def __init__(self, association: Association) -> None:
        self._association = association
        self._changed = Condition()
        self._is_open, self._is_held, self._is_waited_at = True, False, False

    def wait(self) -> bool:
        """Wait until the checkpoint is open; this is where the reactor thread stops."""
        with self._changed:
            while not self._is_open:
                self._is_waited_at = True
                self._changed.notify_all()
                self._changed.wait()
            self._is_waited_at = False
        return True

    def clear(self) -> None:
        """Close the checkpoint."""
        with self._changed:
            self._is_open = False

    def set(self) -> None:
        """Open the checkpoint, if the association is at its end or nobody holds it closed."""
        one = self._association
        with self._changed:
            if not self._is_held or one._sent_abort or one._kill or one.is_aborted or one.is_released:
                self._is_open = True
                self._changed.notify_all()

    def hold(self) -> None:
        """Close the checkpoint until `let_go`, and wait until the reactor thread stands at it."""
        with self._changed:
            self._is_held, self._is_open = True, False
            while not self._is_waited_at and self._association.is_alive():
                self._changed.wait(LOOK_S)

    def let_go(self) -> None:
        """Let the reactor thread come to its end."""
        with self._changed:
            self._is_held, self._is_open = False, True
            self._changed.notify_all()


def checkpoint_of(association: Association) -> Checkpoint:
    """Return the checkpoint of an association that `entity_of` gave."""
    made = association._reactor_checkpoint
    assert isinstance(made, Checkpoint)
    return made


def entity_of(node: DimseNode, wires: list[socket.socket], *, brings_instances: bool) -> ApplicationEntity:
    """Return our side of associations with a node; `wires` gets the sockets that it makes, those too that never connect."""
    from pynetdicom.ae import ApplicationEntity

    class Entity(ApplicationEntity):
        def _create_socket(self, assoc: Association, *arguments: Any, **keywords: Any) -> AssociationSocket:
            assoc.dul.daemon = True  # a peer that hangs must not keep the process from ending
            assoc.dul.run = partial(_run, assoc, assoc.dul.run)  # type: ignore[method-assign]
            assoc._reactor_checkpoint = Checkpoint(assoc)  # type: ignore[assignment]
            made = super()._create_socket(assoc, *arguments, **keywords)
            if made.socket is not None:
                wires.append(made.socket)
            made.recv = Reader(made, node.timeout_s, limit=None if brings_instances else RECEIVED_LIMIT)  # type: ignore[method-assign]
            return made

    entity = Entity(ae_title=node.own_ae_title)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = node.timeout_s
    entity.network_timeout = None  # an idle timer would end an association whose peer is busy storing; ours are per message
    return entity


def _run(association: Association, reactor: Callable[[], None]) -> None:
    """Run the thread that sends and receives; where it comes upon what it cannot read, end the association and print nothing.

    pynetdicom lets the exception end the thread: Python prints it, and whoever waits for an answer waits in vain.
    """
    try:
        reactor()
    except Exception:  # noqa: BLE001 - what a peer sends raises anything, and its text may quote the patient
        association.is_aborted, association.is_established, association._kill = True, False, True
        association.dimse.msg_queue.put((None, None))  # as pynetdicom does where the peer breaks off


class Reader:
    """Reads from a socket in pynetdicom's place, which reads whatever length a PDU claims, and waits for it byte by byte.

    Args:
        source: pynetdicom's own wrapper of the socket.
        timeout_s: how long a PDU may take to come to its end once it began.
        limit: bytes in all.
    """

    def __init__(self, source: AssociationSocket, timeout_s: float, *, limit: int | None) -> None:
        self.source, self.timeout_s, self.limit = source, timeout_s, limit
        self.read = 0

    def __call__(self, nr_bytes: int) -> bytearray:
        """Return so many bytes, fewer if the peer closed the connection.

        Raises:
            OSError: they are more than may come, or come too slowly; pynetdicom takes it for a broken connection.
        """
        self.read += nr_bytes
        if nr_bytes > RECEIVED_PDU_LIMIT or (self.limit is not None and self.read > self.limit):
            raise OSError("more than we said that we take")
        content, end = bytearray(), monotonic() + self.timeout_s
        while len(content) < nr_bytes:
            wire = self.source.socket
            piece = wire.recv(min(nr_bytes - len(content), PIECE)) if wire is not None else b""
            if not piece:
                break
            content += piece
            if monotonic() > end and len(content) < nr_bytes:
                raise OSError("a PDU that does not come to its end")
        return content


class Tls:
    """Makes TLS of a socket, and remembers it: pynetdicom leaves one open whose handshake fails."""

    def __init__(self, context: ssl.SSLContext, wires: list[socket.socket]) -> None:
        self.context, self.wires = context, wires

    def wrap_socket(self, wire: socket.socket, **keywords: Any) -> socket.socket:
        """Return the socket that speaks TLS."""
        wrapped = self.context.wrap_socket(wire, **keywords)
        self.wires.append(wrapped)
        return wrapped


def prepare(wire: socket.socket, timeout_s: float) -> None:
    """Set what the socket needs: pieces sent at once, and an end of waiting for a peer that neither reads nor writes."""
    wire.settimeout(timeout_s)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def acknowledge_at_once(event: Any) -> None:
    """Acknowledge what comes next without delay.

    DCMTK and what is built on it (Orthanc) write an answer in two pieces and, with Nagle's algorithm on, hold the second back
    until the first is acknowledged; an acknowledgement that waits for company costs 40 ms an instance. Linux forgets the setting,
    so it is set again after every piece, by the thread that sends and receives.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        held = event.assoc.dul.socket
        wire = held.socket if held is not None else None
        if wire is not None:
            with suppress(OSError):  # closed in the meantime
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
