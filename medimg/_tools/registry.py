"""Find the plugins of a room: a plugin is a module, its file name is its name."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from medimg.errors import OptionError

if TYPE_CHECKING:
    from types import ModuleType


def names(room: str) -> tuple[str, ...]:
    """List the plugins of a room (`medimg.readers`) without importing them: its own files, then third parties' entry points."""
    spec = find_spec(room)
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    own = {path.stem for folder in folders for path in Path(folder).glob("*.py") if not path.stem.startswith("_")}
    return tuple(sorted(own | {point.name for point in _entry_points(room)}))


def load(room: str, name: str, *, option: str) -> ModuleType:
    """Import the plugin `name` of a room.

    Raises:
        OptionError: there is none of that name; `option` is the option that named it, and the nearest known name is the remedy.
    """
    known = names(room)
    if name not in known:
        raise OptionError.unknown(option, name, known)
    for point in _entry_points(room):
        if point.name == name:
            module: ModuleType = point.load()
            return module
    return import_module(f"{room}.{name}")


@cache
def _entry_points(room: str) -> tuple[EntryPoint, ...]:
    """Ask every installed package once: it takes tens of milliseconds."""
    return tuple(entry_points(group=room))
