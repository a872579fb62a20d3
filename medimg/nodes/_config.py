"""The nodes that are known: a TOML file in the user's configuration folder, or one that is given."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg._tools.files import whole_file
from medimg.errors import OptionError, WriteError
from medimg.nodes._node import DimseNode, Node, WebNode
from medimg.nodes._outbox_files import make_private_file
from medimg.nodes._outbox_lock import locked

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "pacs.toml"
SECRETS = re.compile(r"pass|token|secret|key$", re.IGNORECASE)
WAIT_S = 20.0  # to add a node takes milliseconds: whoever is not done after this hangs
KINDS: dict[str, type] = {"str": str, "int": int, "bool": bool, "float": float}


def default_config() -> Path:
    """Return where the nodes are kept where no file is given, e.g. `~/.config/medimg/pacs.toml`."""
    import platformdirs

    return Path(platformdirs.user_config_path("medimg", appauthor=False)) / FILE


def list_nodes(*, pacs_config: str | Path | None = None) -> tuple[Node, ...]:
    """Return all known nodes, by name; none where there is no file yet.

    Args:
        pacs_config: a TOML file such as `configs/pacs.toml`; by default that of the user's configuration folder.

    Raises:
        OptionError: a file was given that is not there, or what stands in the file describes no node.
    """
    path = Path(pacs_config) if pacs_config is not None else default_config()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if pacs_config is None:
            return ()
        raise OptionError("pacs_config", path.name, "a TOML file that exists, like configs/pacs.toml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError("pacs_config", f"{path.name}, which cannot be read", "a TOML file like configs/pacs.toml") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(
            "pacs_config", f"{path.name}, which is not TOML: {error}", "a TOML file like configs/pacs.toml"
        ) from None
    tables = content.get("nodes", {})
    if set(content) - {"nodes"} or not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise OptionError("pacs_config", path.name, "a file of tables [nodes.NAME], like configs/pacs.toml")
    return tuple(make_node(name, table, folder=path.parent) for name, table in sorted(tables.items()))


def find_node(name: str, *, pacs_config: str | Path | None = None) -> Node:
    """Return the node of that name.

    Raises:
        OptionError: there is none; the nearest known name is the remedy. Or the file is no configuration.
    """
    known = {node.name: node for node in list_nodes(pacs_config=pacs_config)}
    if name in known:
        return known[name]
    if not known:
        raise OptionError("node", name, "a node that is known; there is none yet: medimg pacs add NAME makes one")
    raise OptionError.unknown("node", name, known)


def make_node(name: str, values: Mapping[str, Any], *, folder: str | Path = ".") -> Node:
    """Make a node of the values of a table of the configuration; names of files are relative to `folder`.

    Raises:
        OptionError: the table describes no node; a value that may be a secret is not shown.
    """
    kind: type[DimseNode] | type[WebNode]
    if ("url" in values) == ("host" in values):
        raise OptionError(
            f"node {name}", "without an address, or with two", "either url (DICOMweb) or host, port and ae_title (DIMSE)"
        )
    kind = WebNode if "url" in values else DimseNode
    known = {field.name: field for field in fields(kind) if field.name != "name"}
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            if SECRETS.search(key):
                wanted_words = "where it lies in its place: secret = 'env:NAME' or 'file:PATH'"
                raise OptionError(f"{key} of node {name}", "kept in the configuration", wanted_words)
            raise OptionError.unknown(f"option of node {name}", key, known)
        checked[key] = _checked(f"{key} of node {name}", value, str(known[key].type), Path(folder))
    missing = [key for key, field in known.items() if field.default is MISSING and key not in checked]
    if missing:
        raise OptionError(f"node {name}", f"without {missing[0]}", f"{' and '.join(missing)} too")
    return kind(name=name, **checked)


def _checked(option: str, value: object, kind: str, folder: Path) -> object:
    """Return a value of the type that a field wants; the name of a file becomes its path."""
    if kind == "str | Path | None":
        if not isinstance(value, str | Path) or not str(value):
            raise OptionError(option, f"of type {type(value).__name__}", "the name of a file")
        return folder / Path(value).expanduser()
    wanted = KINDS[kind]
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise OptionError(option, f"of type {type(value).__name__}", f"a value of type {wanted.__name__}")
    return value


def add_node(node: Node, *, pacs_config: str | Path | None = None) -> Path:
    """Add a node to the configuration and return the file; what stands there, comments too, stays as it is.

    Several may add at once, also from several programs: one waits for the other, and a file `.pacs.toml.lock` beside the
    configuration stays.

    Raises:
        OptionError: there is a node of that name, or the file is no configuration.
        WriteError: the disk refuses, or another program keeps the file locked.
    """
    path = Path(pacs_config) if pacs_config is not None else default_config()
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_private_file(lock)
    except OSError as error:
        raise _not_written(path, error) from error
    remedy = "Give --pacs-config a file on a disk of this machine"
    with locked(lock, wait_s=WAIT_S, what=path.name, remedy=remedy) as got:
        if not got:
            raise WriteError(f"Another program has been changing {path.name} for {WAIT_S:.0f} s. End it, and add the node again.")
        _append(node, path)
    return path


def _append(node: Node, path: Path) -> None:
    known = {} if not path.exists() else {other.name: other for other in list_nodes(pacs_config=path)}
    if node.name in known:
        raise OptionError("name", node.name, f"a name that is not taken, or take the one there is out of {path.name} first")
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
    except OSError as error:
        raise _not_written(path, error) from error
    lines = [f"[nodes.{_key(node.name)}]"]
    for field in fields(node):
        value = getattr(node, field.name)
        if field.name != "name" and value != field.default:
            lines.append(f"{field.name} = {_toml(value.absolute().as_posix() if isinstance(value, Path) else value)}")
    with whole_file(path) as partial:
        partial.write_text(
            before + ("\n" if before and not before.endswith("\n\n") else "") + "\n".join(lines) + "\n", encoding="utf-8"
        )


def _not_written(path: Path, error: OSError) -> WriteError:
    return WriteError(f"{path.name} could not be written: {error.strerror}. Give another --pacs-config.")


def _key(name: str) -> str:
    return f'"{name}"' if "." in name else name


def _toml(value: str | float) -> str:
    """Write a string, a number or a truth as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)
