"""What a node is: an address to send to and to ask, over DIMSE or over DICOMweb. A node holds no secret, only where one lies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from medimg.errors import OptionError

OWN_AE_TITLE = "MEDIMG"
TIMEOUT_S = 30.0  # what Orthanc and dcm4chee wait for a peer as they come
AE_TITLE_LIMIT = 16  # PS3.5 section 6.2, AE
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
SCHEMES = ("", "basic", "bearer")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def require_ae_title(name: str, value: object) -> str:
    r"""Return an AE title without the spaces around it, which mean nothing (PS3.5 section 6.2).

    Raises:
        OptionError: it is none: empty, longer than 16 characters, or with a backslash, a control character or a letter that
            is not ASCII.
    """
    title = value.strip(" ") if isinstance(value, str) else ""
    if not title or len(title) > AE_TITLE_LIMIT or not title.isascii() or not title.isprintable() or "\\" in title:
        raise OptionError(name, repr(value), "1 to 16 ASCII characters without a backslash or a control character")
    return title


@dataclass(frozen=True, kw_only=True)
class DimseNode:
    """A node that speaks DIMSE (C-STORE, C-FIND ...).

    Attributes:
        name: what it is called here.
        host: name or address of the machine.
        port: its TCP port.
        ae_title: what it calls itself (the called AE title).
        own_ae_title: what we call ourselves to it (the calling AE title); many archives answer only titles they know.
        tls: speak TLS.
        ca_file: certificates (PEM) that its certificate must come from; the system's own where none is given.
        certificate_file: our certificate (PEM), where it wants one.
        key_file: the key of our certificate (PEM).
        timeout_s: how long it may take to connect, and then to answer any one message.
    """

    name: str
    host: str
    port: int
    ae_title: str
    own_ae_title: str = OWN_AE_TITLE
    tls: bool = False
    ca_file: str | Path | None = None
    certificate_file: str | Path | None = None
    key_file: str | Path | None = None
    timeout_s: float = TIMEOUT_S

    def __post_init__(self) -> None:
        _require_name(self.name)
        _take_paths(self, "ca_file", "certificate_file", "key_file")
        object.__setattr__(self, "ae_title", require_ae_title("ae_title", self.ae_title))
        object.__setattr__(self, "own_ae_title", require_ae_title("own_ae_title", self.own_ae_title))
        if not self.host or not self.host.isprintable() or any(letter in self.host for letter in " /@\\"):
            raise OptionError("host", repr(self.host), "the name or address of a machine, without a port")
        if not 0 < self.port < 65536:
            raise OptionError("port", repr(self.port), "a number from 1 to 65535")
        _require_timeout(self.timeout_s)
        if bool(self.certificate_file) != bool(self.key_file):
            raise OptionError("certificate_file", "given without key_file, or key_file without it", "both of them, or none")
        if not self.tls and (self.ca_file or self.certificate_file):
            raise OptionError("tls", "off where certificates are given", "tls = true, or no certificates")

    def describe(self) -> str:
        """Say where it is in a few words."""
        return f"DIMSE {self.ae_title} at {self.host}:{self.port}{' over TLS' if self.tls else ''}, as {self.own_ae_title}"


@dataclass(frozen=True, kw_only=True)
class WebNode:
    """A node that speaks DICOMweb (STOW-RS, QIDO-RS, WADO-RS).

    Attributes:
        name: what it is called here.
        url: of the services, e.g. "https://archive.example/dicom-web"; "/studies" is put behind it.
        user: whose password `secret` is, for "basic".
        scheme: "basic", "bearer", or "" where it asks nobody who they are.
        secret: where the password or token lies: "env:NAME" or "file:PATH" (mode 0600). The secret itself is kept nowhere here.
        ca_file: certificates (PEM) that its certificate must come from; the system's own where none is given.
        unencrypted: the secret may travel over http:// to another machine; refused otherwise.
        timeout_s: how long it may take to connect, and then between two pieces of an answer.
    """

    name: str
    url: str
    user: str = ""
    scheme: str = ""
    secret: str = ""
    ca_file: str | Path | None = None
    unencrypted: bool = False
    timeout_s: float = TIMEOUT_S

    def __post_init__(self) -> None:
        _require_name(self.name)
        _take_paths(self, "ca_file")
        _require_timeout(self.timeout_s)
        object.__setattr__(self, "url", _require_url(self.url))
        if self.scheme not in SCHEMES:
            raise OptionError.unknown("scheme", self.scheme, SCHEMES[1:])
        kind, _, place = self.secret.partition(":")
        if self.secret and (kind not in ("env", "file") or not place):
            # what was given may be the secret itself: it is not shown
            raise OptionError("secret", "what was given", "where it lies: env:NAME or file:PATH, never the secret itself")
        if bool(self.scheme) != bool(self.secret):
            raise OptionError("secret", "given without scheme, or scheme without it", "both of them, or none")
        if (self.scheme == "basic") != bool(self.user) or ":" in self.user or not self.user.isprintable():
            # what was given may be "name:password": it is not shown
            raise OptionError("user", "what was given", "a name without a colon with scheme basic, and none otherwise")
        parts = urlsplit(self.url)
        if self.scheme and parts.scheme == "http" and parts.hostname not in LOOPBACK and not self.unencrypted:
            raise OptionError(
                "url", "http:// where a secret is sent", "an https:// address, or unencrypted = true to send it openly"
            )

    def describe(self) -> str:
        """Say where it is in a few words."""
        return f"DICOMweb at {self.url}{f', {self.scheme} authentication' if self.scheme else ''}"


Node: TypeAlias = DimseNode | WebNode


def _take_paths(node: Node, *names: str) -> None:
    """Make paths of what may be given as text."""
    for name in names:
        if getattr(node, name) is not None:
            object.__setattr__(node, name, Path(getattr(node, name)))


def _require_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise OptionError("name", repr(name), "letters, digits, dots, hyphens and underscores, 64 at most")


def _require_timeout(timeout_s: float) -> None:
    if not 0 < timeout_s < 86400:
        raise OptionError("timeout_s", repr(timeout_s), "seconds above 0")


def _require_url(url: str) -> str:
    """Return the URL without a slash at its end; it may hold no user, password, query or fragment."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or not url.isascii() or not url.isprintable() or " " in url or any(sign in url for sign in "@?#\\"):
        # a URL may hold a password: it is not shown
        raise OptionError(
            "url", "what was given", "http:// or https://, a host and a path, without a user, a password or a query"
        )
    return url.rstrip("/")
