"""What a model does about lesions larger than those it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medimg.values import Code

FILLS = 0.75  # of a cube's edge: a lesion that takes more of it than this leaves too little of what is around it


@dataclass(frozen=True, kw_only=True)
class Larger:
    """The table `[finding.larger]` of a card: what is larger is looked for by the same networks on coarser voxels.

    A mass of 70 mm on voxels of 3 mm looks to a network as a nodule of 23 mm does on voxels of 1 mm.

    Args:
        kind: what a lesion is called whose mean of long and short diameter is above `over_mm` (lung: a mass; Hansell et al.,
            Radiology 2008;246:697).
        spacings_mm: edges of the voxels on which the networks look again, the coarsest first.
        least_mm: equal-volume diameter below which what is seen there is left to the voxels of the stages.
    """

    kind: Code
    over_mm: float
    least_mm: float
    spacings_mm: tuple[float, ...]

    def spacing_for(self, longest_mm: float, *, window: int, spacing_mm: float) -> float:
        """Return the finest voxels, of `spacing_mm` or one of the coarser, on which `longest_mm` fits a cube of `window` voxels.

        >>> from medimg.values import Code
        >>> larger = Larger(kind=Code("SCT", "4147007", "Mass"), over_mm=30, least_mm=25, spacings_mm=(3, 2))
        >>> [larger.spacing_for(longest_mm, window=40, spacing_mm=1) for longest_mm in (12, 45, 70, 130)]
        [1, 2, 3, 3]
        """
        steps = sorted((spacing_mm, *self.spacings_mm))
        return next((step for step in steps if longest_mm <= FILLS * window * step), steps[-1])
