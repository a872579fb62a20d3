"""Run a command; every way out of `medimg` is here."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from medimg.cli._parser import parse
from medimg.errors import INTERRUPTED, MedimgError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType
    from typing import NoReturn

BUG = 1
TERMINATED = 128 + signal.SIGTERM  # as a shell reports a process ended by the signal
PIPE_CLOSED = 141  # 128 + SIGPIPE: whoever read the output has left


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `medimg` with `arguments` (the process's own by default) and return its exit code; `docs/errors.md` lists them."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter is no reason to stop
    try:
        with _terminable(), _quiet_libraries(loud=debug):
            args = parse(words)
            code: int = args.run(args)
            sys.stdout.flush()
            return code
    except SystemExit as done:  # argparse, after --help and --version
        return int(done.code or 0)
    except MedimgError as error:
        if debug:
            _traceback()
        return _end(_as_typed(error, words), error.exit_code)
    except KeyboardInterrupt:
        return _end("Interrupted; nothing half-written is left.", INTERRUPTED)
    except _TerminatedError:
        return _end("Terminated; nothing half-written is left.", TERMINATED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes stdout once more at exit
        return PIPE_CLOSED
    except MemoryError:
        return _end("There is not enough memory for this. Close other programs, or use a machine with more.", BUG)
    except Exception as error:  # noqa: BLE001 - the last door: whatever is left becomes one sentence
        if debug:
            _traceback()
        # The message of a foreign error may hold what a file says of a patient: only its kind and place are shown.
        return _end(
            f"medimg itself failed ({type(error).__name__} {_place(error)}), which is its fault and not yours. "
            "Run the same with --debug for the traceback, and report it without patient data.",
            BUG,
        )


def _as_typed(error: MedimgError, words: Sequence[str]) -> str:
    """Return an error's sentences, with the name of the option as it was typed where it is the keyword's."""
    if not isinstance(error, OptionError):
        return str(error)
    option = f"--{error.name.replace('_', '-')}"
    was_typed = any(word.split("=", 1)[0] == option for word in words)
    return option + str(error).removeprefix(error.name) if was_typed else str(error)


def _end(sentence: str, code: int) -> int:
    from medimg._tools.text import printable

    print(f"medimg: {printable(sentence)}", file=sys.stderr)
    return code


def _traceback() -> None:
    import traceback

    traceback.print_exc()


def _place(error: BaseException) -> str:
    """Say where in medimg an error passed last."""
    place, step = "", error.__traceback__
    while step:
        module = str(step.tb_frame.f_globals.get("__name__", ""))
        if module.split(".")[0] == "medimg":
            place = f"at {module}:{step.tb_lineno}"
        step = step.tb_next
    return place


class _TerminatedError(BaseException):
    """SIGTERM, turned into an exception so that what is half-written is removed on the way out."""


def _raise_terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _TerminatedError


@contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception for the time of the block."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set a signal's handler
        yield
        return
    former = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


@contextmanager
def _quiet_libraries(*, loud: bool) -> Iterator[None]:
    """Keep the warnings and logs of libraries off the screen: they quote what files say, and so patients' names."""
    if loud:
        yield
        return
    import logging
    import warnings

    former = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(former)
