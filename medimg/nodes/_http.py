"""HTTP for DICOMweb: one pool of connections, no redirects, refusals in words, never a secret in them."""

from __future__ import annotations

import json
import ssl
from contextlib import contextmanager
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
                decode_content=True,
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
        pieces, length = [], 0
        with self._in_words():
            for piece in response.stream(PIECE):
                length += len(piece)
                if length > limit:
                    raise NodeError(f"{self.node.name} answers with more than {limit >> 20} MiB. Ask for less.", retry=False)
                pieces.append(piece)
        return b"".join(pieces)

    def stream(self, response: BaseHTTPResponse) -> Iterator[bytes]:
        """Yield the body of a response piece by piece.

        Raises:
            NodeError: it breaks off, or comes too slowly.
        """
        with self._in_words():
            yield from response.stream(PIECE)

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
