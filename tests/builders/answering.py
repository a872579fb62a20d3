"""Nodes that are fetched from and behave badly, each in one way: PACS made of pynetdicom, archives made of http.server."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import urlsplit

from medimg.nodes import DimseNode, WebNode
from tests.builders.peers import serving

STUDY_ROOT_FIND, STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"
BOUNDARY = "medimg-test"
KIND = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
LEVELS = ("STUDY", "SERIES", "IMAGE")
KEYS = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@contextmanager
def pacs(listed, sent=None, *, answers=None, says_classes=True, sends_by_name=True, get_status=None):
    """Start a PACS that lists the data sets `listed` and sends the data sets `sent` (the same by default), whatever it is asked.

    Args:
        listed: what C-FIND tells of.
        sent: what C-GET sends.
        answers: overwrites elements of the answers to questions for studies.
        says_classes: whether it tells the SOP class of an instance.
        sends_by_name: whether it sends single instances too.
        get_status: the last status of a C-GET, in place of pynetdicom's own.
    """
    from pydicom.dataset import Dataset
    from pynetdicom import AE, StoragePresentationContexts, evt

    sent = listed if sent is None else sent

    def find(event):
        level, told = event.identifier.QueryRetrieveLevel, set()
        for one in listed:
            if one[KEYS[level]].value in told:
                continue
            told.add(one[KEYS[level]].value)
            answer = Dataset()
            for element in event.identifier:
                if element.keyword in one:
                    answer[element.keyword] = one[element.keyword]
            answer.QueryRetrieveLevel = level
            if not says_classes:
                answer.pop("SOPClassUID", None)
            if level == "STUDY":
                answer.update(answers or {})
            yield 0xFF00, answer

    def get(event):
        wanted = event.identifier.get("SOPInstanceUID", None)
        names = [wanted] if isinstance(wanted, str) else list(wanted or [])
        chosen = [one for one in sent if not names or (sends_by_name and one.SOPInstanceUID in names)]
        yield len(chosen)
        if get_status is not None:
            yield get_status, None
            return
        for one in chosen:
            yield 0xFF00, one

    entity = AE(ae_title="PEER")
    for name in (STUDY_ROOT_FIND, STUDY_ROOT_GET):
        entity.add_supported_context(name)
    for context in StoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, scu_role=True, scp_role=True)
    with serving(entity, [(evt.EVT_C_FIND, find), (evt.EVT_C_GET, get)]) as port:
        yield DimseNode(name="peer", host="127.0.0.1", port=port, ae_title="PEER", timeout_s=60)


@contextmanager
def archive(
    listed,
    sent=None,
    *,
    body=None,
    kind=f'multipart/related; type="application/dicom"; boundary={BOUNDARY}',
    study=None,
    page=None,
):
    """Start an archive that lists data sets by QIDO-RS and sends others (the same by default) by WADO-RS.

    Args:
        listed: what it lists.
        sent: what it sends.
        body: the body of every WADO-RS answer, in place of the one made of `sent`; bytes, or a function that yields them.
        kind: the Content-Type of it.
        study: overwrites attributes of the answers to questions for studies, by tag.
        page: makes one page of the rows of an answer, and knows of no other.
    """
    files = [_file(one) for one in (listed if sent is None else sent)]
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            parts = urlsplit(self.path)
            asked.append(self.path)
            words = parts.path.removeprefix("/dicom-web/").split("/")
            if words[-1] in ("studies", "series", "instances"):
                level = LEVELS[("studies", "series", "instances").index(words[-1])]
                rows = {one[KEYS[level]].value: one.to_json_dict() for one in listed}
                rows = [{**row, **(study or {})} if level == "STUDY" else row for row in rows.values()]
                for row in rows:
                    row.pop("7FE00010", None)
                rows = page(list(rows)) if page else rows if "offset=0" in parts.query else []
                self._answer(200, "application/dicom+json", [json.dumps(rows).encode()])
                return
            content = body if body is not None else _multipart(files)
            self._answer(200, kind, content() if callable(content) else [content])

        def _answer(self, status, kind, pieces):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()  # HTTP/1.0: the end of the connection is the end of the answer
            for piece in pieces:
                self.wfile.write(piece)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that hangs up is what some tests want
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield WebNode(name="peer", url=f"http://127.0.0.1:{server.server_address[1]}/dicom-web", timeout_s=60), asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def _file(dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _multipart(files) -> bytes:
    mark = f"--{BOUNDARY}".encode()
    parts = [mark + b"\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files]
    return b"".join(parts) + mark + b"--\r\n"
