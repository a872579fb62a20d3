"""Ctrl-C for a child of the tests, also where they were started in the background and ignore it themselves."""

from __future__ import annotations

import signal


def hears_ctrl_c() -> None:
    """Let the child hear what its parent ignores; for `preexec_fn`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
