"""Passwords and tokens: read when they are needed, kept nowhere, shown nowhere."""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from medimg.errors import OptionError

if TYPE_CHECKING:
    from medimg.nodes._node import WebNode

OTHERS = 0o077  # whoever is not the owner
BYTES_LIMIT = 1 << 16


def authorization(node: WebNode) -> dict[str, str]:
    """Return the header that says who we are, none where the node asks nobody.

    Raises:
        OptionError: there is no secret where the configuration says, or others may read it.
    """
    if not node.scheme:
        return {}
    secret = _secret(node)
    if node.scheme == "bearer":
        return {"Authorization": f"Bearer {secret}"}
    return {"Authorization": f"Basic {b64encode(f'{node.user}:{secret}'.encode()).decode('ascii')}"}


def _secret(node: WebNode) -> str:
    kind, _, place = node.secret.partition(":")
    option = f"secret of {node.name}"
    if kind == "env":
        text = os.environ.get(place, "")
        if not text:
            raise OptionError(
                option, f"env:{place}, which is not set", "an environment variable that holds the password or token"
            )
    else:
        text = _read(Path(place).expanduser(), option)
    text = text.rstrip("\r\n")
    if not text or not text.isprintable() or (node.scheme == "bearer" and not text.isascii()):
        raise OptionError(option, f"what lies in {node.secret}", "one line of text")
    return text


def _read(path: Path, option: str) -> str:
    """Read a file that nobody but its owner may read."""
    wanted = "a file that holds the password or token, and that nobody else may read (chmod 600)"
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise OptionError(option, f"file:{path.name}, which cannot be opened ({error.strerror})", wanted) from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OptionError(option, f"file:{path.name}, which is no file", wanted)
        if os.name != "nt" and status.st_mode & OTHERS:
            mode = stat.S_IMODE(status.st_mode)
            raise OptionError(option, f"file:{path.name}, which others may use (mode {mode:04o})", wanted)
        return os.read(handle, BYTES_LIMIT).decode("utf-8")
    except UnicodeDecodeError:  # its text would hold bytes of the secret
        raise OptionError(option, f"file:{path.name}, which is no text", wanted) from None
    finally:
        os.close(handle)
