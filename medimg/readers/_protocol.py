"""What a format's module has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medimg.values import Series, Skipped, Volume


class Reader(Protocol):
    """A module in `readers/`; its file name is the name of the format (`Series.reader`).

    Paths are files that exist, were not links, and whose head the module claimed. Names of files in hazards and in what is
    skipped are `str(path)`; the front shortens them to what the user gave.
    """

    def claims(self, head: bytes) -> bool:
        """Say whether a file that begins with `head` (up to 8 KiB, inflated if the file is gzip) is of this format."""

    def scan(self, paths: Iterable[Path]) -> Iterator[Series | Skipped]:
        """Describe what the files hold from their headers alone. Raises nothing for a file that is not sound."""

    def read(self, series: Series) -> tuple[Volume, Series]:
        """Read the voxels of a series that `scan` described.

        The series that comes back is the one given, unless files turned out to be undecodable: then it is the series without
        them, with a hazard that says so.

        Raises:
            ScanError: nothing can be read of it.
        """
