"""HTTP for DICOMweb: one pool of connections, no redirects, refusals in words, never a secret in them."""

from __future__ import annotations

import json
import socket
import ssl
from contextlib import contextmanager, suppress
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING, Any

from medimg.errors import NodeError
from medimg.nodes._dimse import tls_context, untrusted
from medimg.nodes._secret import authorization

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from medimg.nodes._node import WebNode

JSON = "application/dicom+json"
ANSWER_LIMIT = 64 << 20  # bytes of an answer that is read into memory
HEADS = 3  # times the node's timeout for the head of an answer, which is a few lines
ANSWER_S = 900.0  # for the whole of such an answer
SLOWEST = 1 << 12  # bytes a second, over twice the node's timeout: one that sends less hangs
PIECE = 1 << 16
LATER = (408, 425, 429, 500, 502, 503, 504)  # the same request may succeed later


class Web:
    """A DICOMweb node that is talked to; a context manager.

    Raises:
        OptionError: there is no secret where the configuration says, or a file of certificates cannot be read.
    """

    def __init__(self, node: WebNode) -> None:
        import urllib3

        self.node = node
        self._headers = {"User-Agent": "medimg", **authorization(node)}
        context = tls_context(node.name, node.ca_file) if node.url.startswith("https:") else None
        self._pool = urllib3.PoolManager(
            retries=False,  # and no redirects: what is sent, and who we are, goes to no other address
            timeout=urllib3.Timeout(connect=node.timeout_s, read=node.timeout_s),
            ssl_context=context,
            maxsize=4,
        )
        self._pool.pool_classes_by_scheme = _pools()

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    @contextmanager
    def request(
        self,
        method: str,
        path: str,
        *,
        accept: str = JSON,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Iterator[BaseHTTPResponse]:
        """Ask for `path` below the node's address and give the response, its body unread, for the time of the block.

        Raises:
            NodeError: it is not there, breaks off, does not answer in time, or shows a certificate that is not trusted.
        """
        import urllib3

        with self._in_words():
            response: BaseHTTPResponse = self._pool.request(
                method,
                self.node.url + path,
                headers={**self._headers, "Accept": accept, **(headers or {})},
                body=body,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        assert isinstance(response, urllib3.BaseHTTPResponse)
        try:
            yield response
        finally:
            response.close()

    def read(self, response: BaseHTTPResponse, *, limit: int = ANSWER_LIMIT) -> bytes:
        """Return the body of a response.

        Raises:
            NodeError: it breaks off, comes too slowly, or is longer than `limit` bytes.
        """
        pieces, length, end = [], 0, monotonic() + ANSWER_S
        with self._in_words():
            for piece in self._pieces(response):
                length += len(piece)
                if length > limit:
                    raise NodeError(f"{self.node.name} answers with more than {limit >> 20} MiB. Ask for less.", retry=False)
                if monotonic() > end:
                    raise NodeError(f"{self.node.name} takes longer than {ANSWER_S:g} s for one answer. Try again later.")
                pieces.append(piece)
        return b"".join(pieces)

    def stream(self, response: BaseHTTPResponse) -> Iterator[bytes]:
        """Yield the body of a response piece by piece.

        Raises:
            NodeError: it breaks off, or comes too slowly.
        """
        with self._in_words():
            yield from self._pieces(response)

    def _pieces(self, response: BaseHTTPResponse) -> Iterator[bytes]:
        """Yield the body as it comes; a piece is given as soon as it is there, so that a peer that drips is noticed.

        Nothing is decompressed: we ask for no compression, and what a few bytes become is for the peer to choose.
        """
        if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
            raise NodeError(
                f"{self.node.name} compresses its answer, which it was not asked to. Switch that off there.", retry=False
            )
        window_s = 2 * self.node.timeout_s
        since, came = monotonic(), 0
        while piece := response.read1(PIECE, decode_content=False):
            yield piece
            came += len(piece)
            if monotonic() - since > window_s:
                if came < SLOWEST * window_s:
                    raise NodeError(f"{self.node.name} answers too slowly: {came} bytes in {window_s:g} s. Try again later.")
                since, came = monotonic(), 0

    def read_json(self, response: BaseHTTPResponse) -> Any:
        """Return the body of a response as JSON values, None if it is none."""
        try:
            return json.loads(self.read(response))
        except (ValueError, RecursionError):
            return None

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn what urllib3 raises into sentences."""
        from urllib3 import exceptions

        name, where = self.node.name, self.node.url
        try:
            yield
        except exceptions.SSLError as error:
            cause = next((arg for arg in (*error.args, error.__cause__) if isinstance(arg, ssl.SSLCertVerificationError)), None)
            if cause is not None:
                raise NodeError(untrusted(name, cause), retry=False) from error
            raise NodeError(
                f"{name} does not agree on TLS at {where}. Look whether it speaks https there.", retry=False
            ) from error
        except exceptions.NameResolutionError as error:
            raise NodeError(f"{name} cannot be found: the network does not know the host of {where}. Check its url.") from error
        except exceptions.NewConnectionError as error:  # a ConnectTimeoutError too, as urllib3 has it
            raise NodeError(f"{name} is down: no connection to {where}. Start it, or check its url.") from error
        except (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError, TimeoutError) as error:
            raise NodeError(f"{name} did not answer at {where} within {self.node.timeout_s:g} s. Try again later.") from error
        except (exceptions.HTTPError, OSError) as error:
            raise NodeError(f"{name} broke the connection off while it was being talked to. Try again later.") from error


def _pools() -> dict[str, type]:
    """Return urllib3's pools, of connections whose answers must begin in time: each byte of a head that drips comes in time."""
    from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class InTime(HTTPConnection):
        is_late = False

        def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
            timer = Timer(HEADS * float(self.timeout or 0), self._end)
            timer.daemon = True
            timer.start()
            try:
                response = super().getresponse()
            except Exception:
                if self.is_late:
                    raise TimeoutError from None
                raise
            finally:
                timer.cancel()
            if self.is_late:  # cut off, it looks like a head that ended
                response.close()  # it holds the socket
                raise TimeoutError
            return response

        def _end(self) -> None:
            self.is_late = True
            if self.sock is not None:
                with suppress(OSError):
                    self.sock.shutdown(socket.SHUT_RDWR)

    class InTimeOverTls(InTime, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = InTime

    class PoolOverTls(HTTPSConnectionPool):
        ConnectionCls = InTimeOverTls

    return {"http": Pool, "https": PoolOverTls}


def refusal(node: WebNode, status: int) -> NodeError:
    """Say a status that is none of success in words; the body is left out, it may quote the patient or the request."""
    name = node.name
    if status == 401:
        known = "does not accept who we say we are" if node.scheme else "wants to know who we are"
        return NodeError(f"{name} {known} (HTTP 401). Give scheme and secret as it wants them.", retry=False)
    if status == 403:
        return NodeError(f"{name} does not let us do this (HTTP 403). Ask whoever runs it.", retry=False)
    if status == 404:
        return NodeError(f"{name} offers no such service at {node.url} (HTTP 404). Check its url.", retry=False)
    if 300 <= status < 400:
        return NodeError(
            f"{name} sends us to another address (HTTP {status}), which is not followed. Give that as url.", retry=False
        )
    if status in LATER:
        return NodeError(f"{name} failed or is busy (HTTP {status}). Try again later.")
    return NodeError(f"{name} refuses the request (HTTP {status}). Look into its log.", retry=False)
