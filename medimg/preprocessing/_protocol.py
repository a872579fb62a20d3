"""What a file of this room has: a function of the file's own name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from medimg.values import Mask, Volume


class Step(Protocol):
    """A step: the volume first, options after it by keyword, with their unit in their name."""

    def __call__(self, volume: Volume, **options: Any) -> Volume | Mask:
        """Return a new volume (or mask); what was given stays as it is.

        Raises:
            OptionError: an option cannot be.
            GeometryError: the step cannot work on this grid.
        """
        ...
