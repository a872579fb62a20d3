"""Words of the command line that no list of processes shall show."""

from __future__ import annotations

import os
from contextlib import suppress

ARG_START, ARG_END = 45, 46  # fields 48 and 49 of /proc/self/stat (proc(5)), counted from the one after the name


def hide(*words: str) -> None:
    """Write over `words` where the system keeps the command line, as far as it lets us (Linux).

    Until then, some milliseconds after the start, they can be seen; and the shell's history keeps what was typed.
    """
    with suppress(OSError, ValueError, IndexError), open("/proc/self/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
        start, end = int(fields[ARG_START]), int(fields[ARG_END])
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            line = memory.read(end - start)
            for word in filter(None, map(os.fsencode, words)):
                line = line.replace(word, b"x" * len(word))
            memory.seek(start)
            memory.write(line)
