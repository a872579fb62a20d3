"""The data file that a detached header names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from medimg.readers._unpack import BlockError

if TYPE_CHECKING:
    from pathlib import Path


def beside(path: Path, name: str) -> Path:
    """Return the data file that a header names: a bare name that the header's own folder holds, and no link.

    Raises:
        BlockError: the name is a path, a pattern or a list, or no such file is there.
    """
    with os.scandir(path.parent) as listing:
        known = {entry.name for entry in listing if entry.is_file(follow_symlinks=False)}
    if name not in known or name == path.name:
        raise BlockError("no-data-file", "names a data file that does not lie beside it")
    return path.parent / name
