"""Associations: opened with the presentation contexts that are needed, closed whatever happens, refusals in words."""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from medimg.errors import NodeError, OptionError
from medimg.nodes._wire import Tls, acknowledge_at_once, checkpoint_of, entity_of, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pynetdicom.association import Association

    from medimg.nodes._node import DimseNode

    Context = tuple[str, tuple[str, ...]]  # abstract syntax, transfer syntaxes

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
CONTEXTS_LIMIT = 128  # PS3.8 section 9.3.2.2: odd numbers of one byte
ADDRESSES_LIMIT = 4
PDU_LEAST = 8  # bytes: six go to the head of what a PDU carries (PS3.8 section 9.3.5), and data come in pairs
CLASS_REFUSED = 3  # PS3.8 section 9.3.3.2: abstract syntax not supported
# PS3.8 section 9.3.4: (source, reason) of a rejection
CALLING_UNKNOWN, CALLED_UNKNOWN = (1, 3), (1, 7)
TRANSIENT = 2


@dataclass(frozen=True)
class Link:
    """An open association.

    Attributes:
        association: pynetdicom's own.
        accepted: the context's number for each pair of abstract and transfer syntax that the peer takes.
        refused: for each abstract syntax that is not taken (in one of its contexts) the peer's reason, PS3.8 section 9.3.3.2.
        wires: its sockets.
    """

    node: DimseNode
    association: Association | None
    accepted: dict[tuple[str, str], int]
    refused: dict[str, int]
    wires: list[socket.socket] = field(default_factory=list)


@contextmanager
def associate(node: DimseNode, contexts: Sequence[Context], *, received: Sequence[str] = ()) -> Iterator[Link]:
    """Open an association for the time of the block.

    Args:
        node: whom to talk to.
        contexts: what is proposed.
        received: abstract syntaxes of `contexts` that the peer shall send to us (C-GET), PS3.7 annex D.3.3.4.

    A peer that takes the association and none of the contexts gives a Link without an association.

    Raises:
        NodeError: it is not there, refuses, or does not answer in time.
    """
    link = open_link(node, contexts, received=received)
    try:
        yield link
    except BaseException:
        if link.association is not None:
            link.association.abort()
        raise
    finally:
        close(link)


def close(link: Link) -> None:
    """Release the association, if it is still there."""
    if link.association is not None:
        if link.association.is_established:
            link.association.release()
        checkpoint_of(link.association).let_go()
    _close_wires(link.wires)


def cut(link: Link) -> None:
    """Break an association off from another thread: whoever waits for its peer stops waiting."""
    for wire in link.wires:
        with suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)


def _close_wires(wires: list[socket.socket]) -> None:
    """Close what pynetdicom leaves to the garbage collector where a peer was gone first."""
    for wire in wires:
        wire.close()


def open_link(node: DimseNode, contexts: Sequence[Context], *, received: Sequence[str] = ()) -> Link:
    """Open an association that the caller closes; see `associate`."""
    from pynetdicom import evt
    from pynetdicom.presentation import build_context, build_role

    connected: list[float] = []
    wires: list[socket.socket] = []

    tls = Tls(tls_context(node.name, node.ca_file, node.certificate_file, node.key_file), wires) if node.tls else None

    def connect(event: Any) -> None:
        connected.append(monotonic())
        wires.append(event.assoc.dul.socket.socket)
        prepare(wires[-1], node.timeout_s)

    start = monotonic()
    for address in _resolve(node):  # a name may have several, and not all of them be served
        association = entity_of(node, wires, brings_instances=bool(received)).associate(
            address,
            node.port,
            contexts=[build_context(abstract, list(syntaxes)) for abstract, syntaxes in contexts],
            ae_title=node.ae_title,
            tls_args=(tls, node.host) if tls else None,  # type: ignore[arg-type]  # it is asked for wrap_socket
            ext_neg=[build_role(abstract, scp_role=True) for abstract in received],
            evt_handlers=[
                (evt.EVT_CONN_OPEN, connect),
                (evt.EVT_DATA_SENT, acknowledge_at_once),
                (evt.EVT_DATA_RECV, acknowledge_at_once),
            ],
        )
        if connected:
            break
    answer = association.acceptor.primitive
    why = _unusable(association, contexts) if association.is_established else ""
    if why:
        association.abort()
        _close_wires(wires)
        raise NodeError(f"{node.name} {why}", retry=False)
    if answer is not None and answer.result == 0:
        if association.is_established:
            checkpoint_of(association).hold()
        return Link(
            node=node,
            association=association if association.is_established else None,
            accepted={
                (str(one.abstract_syntax), str(one.transfer_syntax[0])): int(one.context_id or 0)
                for one in association.accepted_contexts
            },
            refused={str(one.abstract_syntax): int(one.result or 0) for one in association.rejected_contexts},
            wires=wires,
        )
    _close_wires(wires)
    if answer is not None and answer.result:
        raise _rejected(node, answer)
    if not connected:
        raise _why_not_connected(node)
    waited = monotonic() - connected[0]
    if waited >= node.timeout_s or monotonic() - start >= 2 * node.timeout_s:
        raise NodeError(
            f"{node.name} took the connection and did not answer within {node.timeout_s:g} s. "
            "Try again later, or look whether it hangs."
        )
    hint = ", and whether it wants TLS (tls = true)"
    if node.tls:
        hint = "" if node.certificate_file else ", and whether it wants a certificate of us (certificate_file)"
    raise NodeError(
        f"{node.name} broke the connection off before an association was agreed on. Look whether a DICOM service listens at "
        f"{node.host}:{node.port}{hint}."
    )


def _unusable(association: Association, contexts: Sequence[Context]) -> str:
    """Say why nothing can be sent over an association that the peer took, "" if something can."""
    limit = association.dimse.maximum_pdu_size
    if 0 < limit < PDU_LEAST:
        return (
            f"says that it takes at most {limit} bytes at a time, in which no message fits. Look into its settings (maximum PDU "
            "length)."
        )
    proposed = {(abstract, syntax) for abstract, syntaxes in contexts for syntax in syntaxes}
    taken = {(str(one.abstract_syntax), str(one.transfer_syntax[0])) for one in association.accepted_contexts}
    return "" if taken <= proposed else "takes what was not proposed to it. Look whether it is a DICOM service."


def tls_context(name: str, ca_file: Any, certificate_file: Any = None, key_file: Any = None) -> ssl.SSLContext:
    """Return what TLS needs: the peer's certificate must be valid and name the host.

    Raises:
        OptionError: a file of certificates cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise OptionError(
            f"ca_file of {name}", f"{ca_file.name}, which cannot be read", "a file of certificates (PEM)"
        ) from error
    if certificate_file:
        try:
            context.load_cert_chain(certificate_file, key_file, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise OptionError(
                f"certificate_file of {name}",
                f"{certificate_file.name}, which cannot be read with its key",
                "a certificate and its key (PEM, without a password)",
            ) from error
    return context


def _no_password() -> bytes:
    """Answer OpenSSL's question for a password with none, so that it never asks at a terminal."""
    raise ValueError("the key has a password")


def _resolve(node: DimseNode) -> list[str]:
    """Return the addresses of a node's host, a few at most."""
    try:
        found = socket.getaddrinfo(node.host, node.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NodeError(
            f"{node.name} cannot be found: the network does not know the name {node.host}. Check its host."
        ) from error
    return list(dict.fromkeys(str(one[4][0]) for one in found))[:ADDRESSES_LIMIT]


def _rejected(node: DimseNode, answer: Any) -> NodeError:
    """Say a rejection of the association in words."""
    why = (answer.result_source, answer.diagnostic)
    if why == CALLING_UNKNOWN:
        return NodeError(
            f"{node.name} refuses the association: it does not know us as {node.own_ae_title}. "
            "Let it know this AE title, or give the one it knows as own_ae_title.",
            retry=False,
        )
    if why == CALLED_UNKNOWN:
        return NodeError(
            f"{node.name} refuses the association: it is not called {node.ae_title}. Give its own AE title as ae_title.",
            retry=False,
        )
    if answer.result == TRANSIENT:
        return NodeError(f"{node.name} refuses the association for now: it is busy. Try again later.")
    return NodeError(
        f"{node.name} refuses the association and gives no reason. Look whether it knows {node.own_ae_title} and this machine.",
        retry=False,
    )


def _why_not_connected(node: DimseNode) -> NodeError:
    """Connect once more by hand: pynetdicom does not tell why it could not."""
    where = f"{node.host}:{node.port}"
    try:
        with socket.create_connection((node.host, node.port), timeout=node.timeout_s) as wire:
            if node.tls:
                context = tls_context(node.name, node.ca_file, node.certificate_file, node.key_file)
                with context.wrap_socket(wire, server_hostname=node.host):
                    pass
    except ssl.SSLCertVerificationError as error:
        return NodeError(untrusted(node.name, error), retry=False)
    except TimeoutError:
        return NodeError(
            f"{node.name} does not answer at {where} within {node.timeout_s:g} s. Look whether it runs, or a firewall is between."
        )
    except ssl.SSLError:
        return NodeError(
            f"{node.name} does not agree on TLS at {where}. Look whether it speaks TLS there, and wants a certificate of us.",
            retry=False,
        )
    except ConnectionRefusedError:
        return NodeError(f"{node.name} is down: nothing listens at {where}. Start it, or check host and port.")
    except OSError as error:
        return NodeError(
            f"{node.name} cannot be reached at {where}: {error.strerror or 'the connection broke'}. Check the network."
        )
    return NodeError(f"{node.name} did not take the connection at first, and does now. Try again.")


def untrusted(name: str, error: ssl.SSLCertVerificationError) -> str:
    """Say in words that a certificate is not trusted."""
    return (
        f"{name} shows a certificate that is not trusted ({error.verify_message.rstrip('.')}), so nothing was sent. "
        "Give the certificates that it comes from as ca_file, or find out who answers there."
    )
