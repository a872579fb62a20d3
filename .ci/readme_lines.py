"""Print the two lines of the README's shell block, one a line; exit 1 if it is not exactly one block of exactly two lines.

Usage: python3 .ci/readme_lines.py [README.md]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

SHELL_BLOCK = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def lines_of(text: str) -> list[str]:
    """Return the two lines.

    >>> lines_of("# Name\\n```sh\\nmake it\\ntest it\\n```\\n")
    ['make it', 'test it']
    """
    blocks = SHELL_BLOCK.findall(text)
    if len(blocks) != 1:
        raise ValueError(f"the README has {len(blocks)} shell blocks, not one")
    lines: list[str] = blocks[0].splitlines()
    if len(lines) != 2 or not all(line.strip() for line in lines) or lines[0].endswith("\\"):
        raise ValueError(f"the README's shell block has {len(lines)} lines, not two")
    return lines


if __name__ == "__main__":
    try:
        print(*lines_of(Path(sys.argv[1] if len(sys.argv) > 1 else "README.md").read_text(encoding="utf-8")), sep="\n")
    except ValueError as error:
        sys.exit(f"readme_lines: {error}")
