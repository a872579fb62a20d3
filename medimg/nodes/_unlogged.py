"""Keep what is asked for out of the logs of the libraries below: a question names a patient."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What writes a question or its answers: pynetdicom at INFO (identifiers, line by line), urllib3 at DEBUG (the address of QIDO-RS)
LOGGERS = ("pynetdicom.association", "pynetdicom.dimse", "pynetdicom.dsutils", "pynetdicom._handlers", "urllib3.connectionpool")

_threads = threading.local()


class _NotOurs(logging.Filter):
    """Lets through what other threads log: the application may speak to nodes of its own."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_threads, "depth", 0)


_not_ours = _NotOurs()


@contextmanager
def unlogged() -> Iterator[None]:
    """For the time of the block, let those libraries log nothing of what this thread does, whatever is switched on."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_not_ours)  # one and the same filter is added once
    _threads.depth = getattr(_threads, "depth", 0) + 1
    try:
        yield
    finally:
        _threads.depth -= 1
