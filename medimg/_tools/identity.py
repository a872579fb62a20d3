"""Names and UIDs that are made from what a thing is, and tell nobody who it is about."""

from __future__ import annotations

from hashlib import sha256

NAME_DIGITS = 12  # 48 bits: two of a million studies meet with a chance of one in 500


def digest(*parts: object) -> bytes:
    """Return the SHA-256 of `parts`; the same parts give the same digest on every machine."""
    hashed = sha256()
    for part in parts:
        piece = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
        hashed.update(len(piece).to_bytes(8, "big") + piece)
    return hashed.digest()


def short_name(kind: str, *parts: object) -> str:
    """Return a name such as `study-1f3a5c7e9b2d` that is the same for the same parts.

    >>> short_name("study", "1.2.3")
    'study-bb5c7cba9f34'
    """
    return f"{kind}-{digest(kind, *parts).hex()[:NAME_DIGITS]}"


def uid_from(*parts: object) -> str:
    """Return a DICOM UID (2.25 and a number, PS3.5 annex B.2) that is the same for the same parts.

    >>> uid_from("1.2.3", "seg") == uid_from("1.2.3", "seg")
    True
    """
    value = int.from_bytes(digest(*parts)[:16], "big")
    value = (value & ~(0xF << 76) & ~(0x3 << 62)) | (0x8 << 76) | (0x2 << 62)  # a version 8 (own hash), variant 1 UUID
    return f"2.25.{value}"
