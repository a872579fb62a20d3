"""Peers that behave badly, each in one way: what a PACS or an archive may do to a sender."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from medimg.nodes import DimseNode, WebNode

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


@contextmanager
def serving(entity, handlers, *, ssl_context=None):
    """Let an application entity of pynetdicom listen for the time of the block; give its port."""
    from pynetdicom import evt

    wires = []
    opened = (evt.EVT_CONN_OPEN, lambda event: wires.append(event.assoc.dul.socket.socket))
    server = entity.start_server(("127.0.0.1", 0), block=False, ssl_context=ssl_context, evt_handlers=[opened, *handlers])
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        server.server_close()
        for wire in filter(None, wires):  # pynetdicom leaves them to the garbage collector where the other side was gone first
            wire.close()


@contextmanager
def scp(
    *,
    status=0x0000,
    syntaxes=(EXPLICIT, IMPLICIT),
    classes=None,
    keeps=True,
    shows=None,
    asks=True,
    find_status=0x0000,
    require_calling=(),
    ssl_context=None,
    timeout_s=60.0,
    on_store=None,
    on_pdu=None,
    associations=10,
    pdu_bytes=16382,
    most=None,
    end_status=0x0000,
):
    """Start a PACS made of pynetdicom; give its node, and what it keeps: (data set, transfer syntax, class) by instance UID.

    Args:
        status: what it answers to a C-STORE, or a function of the event that returns it.
        syntaxes: the transfer syntaxes that it takes.
        classes: the storage classes that it takes, all by default.
        keeps: it stores what it took.
        shows: which instance UIDs it shows to who asks, by default those that it kept.
        asks: it offers C-FIND.
        find_status: of the last answer to a question, or a function of its level that returns it.
        require_calling: the AE titles that it knows.
        ssl_context: of a server, to speak TLS.
        timeout_s: of the node.
        on_store: is called with the event first.
        associations: how many it takes at once.
        on_pdu: is called with the event of every PDU that arrives, by the thread that reads.
        pdu_bytes: the most that it takes at a time.
        most: answers that it gives to one question, and `end_status` in place of the others.
    """
    from pydicom.dataset import Dataset
    from pynetdicom import AE, AllStoragePresentationContexts, evt

    held = {}

    def store(event):
        if on_store is not None:
            on_store(event)
        answer = status(event) if callable(status) else status
        if keeps and answer in (0, 0xB000):
            held[str(event.request.AffectedSOPInstanceUID)] = (
                event.request.DataSet.getvalue(),
                str(event.context.transfer_syntax),
                str(event.request.AffectedSOPClassUID),
            )
        return answer

    def find(event):
        wanted = event.identifier
        no = find_status(str(wanted.QueryRetrieveLevel)) if callable(find_status) else find_status
        if no:
            yield no, None
            return
        uids = wanted.get("SOPInstanceUID")
        listed = [uids] if isinstance(uids, str) else list(uids or [])
        fitting = [uid for uid in (held if shows is None else shows) if not listed or "" in listed or uid in listed]
        for uid in fitting[:most]:
            answer = Dataset()
            answer.QueryRetrieveLevel, answer.SOPInstanceUID = wanted.QueryRetrieveLevel, uid
            answer.SeriesInstanceUID = wanted.SeriesInstanceUID
            answer.NumberOfSeriesRelatedInstances = len(held)
            yield 0xFF00, answer
        if len(fitting) > len(fitting[:most]) and end_status:
            yield end_status, None

    entity = AE(ae_title="PEER")
    entity.maximum_associations, entity.maximum_pdu_size = associations, pdu_bytes
    for context in AllStoragePresentationContexts:
        if classes is None or context.abstract_syntax in classes:
            entity.add_supported_context(context.abstract_syntax, list(syntaxes))
    if classes is None:
        entity.add_supported_context("1.2.840.10008.5.1.4.1.1.66.7", list(syntaxes))  # younger than pynetdicom's list
    entity.add_supported_context("1.2.840.10008.1.1")
    if asks:
        entity.add_supported_context(STUDY_ROOT_FIND)
    if require_calling:
        entity.require_calling_aet = list(require_calling)
    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_C_FIND, find)]
    handlers += [(evt.EVT_PDU_RECV, on_pdu)] if on_pdu is not None else []
    with serving(entity, handlers, ssl_context=ssl_context) as port:
        yield DimseNode(name="peer", host="127.0.0.1", port=port, ae_title="PEER", timeout_s=timeout_s), held


@contextmanager
def raw(behave, *, timeout_s=2.0):
    """Start a server that does with each connection what `behave(connection)` does."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve():
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=attend, args=(connection,), daemon=True).start()

    def attend(connection):
        try:
            behave(connection)
        except OSError:
            pass
        finally:
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    try:
        yield DimseNode(name="peer", host="127.0.0.1", port=port, ae_title="PEER", timeout_s=timeout_s)
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a connection
        listener.close()
        thread.join(timeout=5)


class Archive:
    """What a DICOMweb server of a test was asked, and how it answers."""

    def __init__(self, *, stow=None, there=(), qido=200, passes_over=(), says=None, most=None):
        """Make one.

        `passes_over` names the keys of a question that it does not know, `says` what stands in every answer, `most` is how many
        instances it looks through for one question.
        """
        self.most = most
        self.stow, self.there, self.qido = stow, set(there), qido
        self.passes_over, self.says = passes_over, says or {}
        self.requests = []


@contextmanager
def web(archive: Archive, *, ssl_context=None, timeout_s=30.0, **node):
    """Start a DICOMweb server that answers as `archive` says."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, content=b"", kind="application/dicom+json", **headers):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            archive.requests.append(("POST", self.path, dict(self.headers), body))
            status, content, headers = archive.stow(body)
            self.answer(status, content if isinstance(content, bytes) else json.dumps(content).encode(), **headers)

        def do_GET(self):
            archive.requests.append(("GET", self.path, dict(self.headers), b""))
            if archive.qido != 200:
                self.answer(archive.qido)
                return
            keys = {key: value for key, value in parse_qsl(urlsplit(self.path).query) if key not in archive.passes_over}
            wanted, first = keys.get("SOPInstanceUID"), int(keys.get("offset", 0))
            fitting = [uid for uid in sorted(archive.there) if wanted in (None, uid)][: archive.most]
            found = fitting[first : first + int(keys.get("limit", 1000))]
            rows = [{"00080018": {"vr": "UI", "Value": [uid]}, **archive.says} for uid in found]
            self.answer(200 if rows else 204, json.dumps(rows).encode() if rows else b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if ssl_context is not None:
        server.socket = ssl_context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    scheme = "https" if ssl_context is not None else "http"
    try:
        yield WebNode(
            name="archive", url=f"{scheme}://127.0.0.1:{server.server_address[1]}/dicom-web", timeout_s=timeout_s, **node
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def stored(*uids, failed=(), status=200, **headers):
    """Return an answer to STOW-RS that names what was stored and what failed with which reason."""
    content = {}
    if uids:
        content["00081199"] = {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [uid]}} for uid in uids]}
    if failed:
        items = [
            {"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [reason]}} for uid, reason in failed
        ]
        content["00081198"] = {"vr": "SQ", "Value": items}
    return status, content, headers


def uids_in(body):
    """Return the SOP instance UIDs of the files in a request, in order."""
    return [match.decode() for match in re.findall(rb"\x08\x00\x18\x00UI..([0-9.]+)", body)]


def certificate(folder, *, name="127.0.0.1", label="server"):
    """Make a certificate of its own authority for an address; return the authority's file and a server's context."""
    import ssl
    import subprocess

    from tests.builders.orthanc import need

    folder.mkdir(parents=True, exist_ok=True)
    certificate_file, key_file = folder / f"{label}.pem", folder / f"{label}.key"
    kind = "IP" if name[0].isdigit() else "DNS"
    subprocess.run(
        [
            *(
                need("openssl"),
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "30",
            ),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}"),
            *("-keyout", str(key_file), "-out", str(certificate_file)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return certificate_file, context
