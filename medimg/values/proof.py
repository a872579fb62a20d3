"""What was found when a written object was read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One object that was read back from disk and compared with what it was made from, before it counts as written.

    Args:
        file: name of the object.
        compared: what was compared with what, in words.
        agrees: whether all of it is the same; an object that does not agree is never delivered.
        voxels: voxels compared in patient space, 0 for an object without any.
        numbers: measured numbers compared.
        references: references to images, segments and findings that were followed.
        largest_distance_mm: the farthest that any voxel or point lies from where it belongs.
    """

    file: str
    compared: str
    agrees: bool
    voxels: int = 0
    numbers: int = 0
    references: int = 0
    largest_distance_mm: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**vars(self), "largest_distance_mm": round(self.largest_distance_mm, 6)}
