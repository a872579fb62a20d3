"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from medimg.errors import WriteError

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTIAL, OLD = ".partial-", "-old"  # names of what is being written, and of what it replaces until it is whole
REMEDY = "Free some space or give another output folder that you may write to"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; it replaces `path` when the block ends well, and vanishes when it does not.

    Raises:
        WriteError: the folder cannot be written, the disk is full.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise write_error(path, error) from error
    partial = Path(name)
    try:
        yield partial
        os.chmod(partial, 0o666 & ~_umask())
        os.replace(partial, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; it replaces `path` when the block ends well, and vanishes when it does not.

    The caller has made sure that what lies at `path` may be replaced.

    Raises:
        WriteError: the parent cannot be written, the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
        os.chmod(partial, 0o777 & ~_umask())
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield partial
        old = partial.with_name(partial.name + OLD)
        try:
            if path.exists():
                os.rename(path, old)
            os.rename(partial, path)
        except BaseException:  # Ctrl-C too
            if old.exists() and not path.exists():
                os.rename(old, path)  # the former results stay
            shutil.rmtree(old, ignore_errors=True)  # another run was faster, and its results stay
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_error(path: Path, error: OSError) -> WriteError:
    """Say an operating system's refusal to write in one sentence, with the remedy."""
    return WriteError(f"{path.name} could not be written: {error.strerror or 'the disk refused'}. {REMEDY}.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
