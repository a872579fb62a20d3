"""Text as it may be shown on a terminal or in a report."""

from __future__ import annotations

MARK = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    r"""Return text with a mark for every character that is none: control characters, escapes, bytes that are no text.

    >>> printable("a\x1b[31mb\n")
    'a\ufffd[31mb\ufffd'
    """
    if text.isprintable():
        return text
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(character if character.isprintable() else MARK for character in decoded)
