"""Show how far a run is: a bar on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Progress = Callable[[str, int, int], None]  # stage, done, total


@contextmanager
def shown(*, quiet: bool) -> Iterator[Progress | None]:
    """Give the function that a run reports to, `None` if nobody wants to know; what it shows goes to stderr."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        bar = _Bar()
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield _Lines()


class _Lines:
    """One line a stage, when it begins."""

    def __init__(self) -> None:
        self.stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self.stage:
            self.stage = stage
            print(f"medimg: {stage}", file=sys.stderr, flush=True)


class _Bar:
    """One bar a stage."""

    def __init__(self) -> None:
        self.stage = ""
        self.bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self.stage:
            from tqdm import tqdm

            self.close()
            self.stage = stage
            self.bar = tqdm(total=total or None, desc=stage, file=sys.stderr, leave=False, bar_format=_BAR_FORMAT)
        self.bar.total = total or None
        self.bar.n = done
        self.bar.refresh()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


_BAR_FORMAT = "{desc:<32} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}"
