"""Random numbers that are the same on every machine and with every version of numpy.

numpy promises a stable stream for its bit generators only, not for the distributions drawn from them; so those are made here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg._tools.identity import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

UNIT = 2.0**-53  # one step of a float64 between 0 and 1
SUMMED = 4  # 16-bit parts of one 64-bit word that are added to make a bell curve
PART = 65536
SUMMED_SD = float(np.sqrt(SUMMED * (PART**2 - 1) / 12))  # standard deviation of that sum
SUMMED_MEAN = SUMMED * (PART - 1) / 2


class Stream:
    """Random numbers that follow from `seed` and a `name`; streams of different names know nothing of each other."""

    def __init__(self, seed: int, name: str) -> None:
        self._bits = np.random.PCG64(int.from_bytes(digest("phantom stream", seed, name)[:16], "big"))

    def uniform(self, shape: int | Sequence[int], low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
        """Return numbers spread evenly from `low` to `high`."""
        unit = (self._raw(shape) >> np.uint64(11)).astype(np.float64) * UNIT
        return low + (high - low) * unit

    def normal(self, shape: int | Sequence[int]) -> NDArray[np.float64]:
        """Return numbers of mean 0 and standard deviation 1: the sum of four even ones, which ends at 3.5 standard deviations."""
        words = self._raw(shape)
        parts = words.view(np.uint16).reshape(*words.shape, SUMMED)
        return (parts.sum(axis=-1, dtype=np.float64) - SUMMED_MEAN) / SUMMED_SD

    def directions(self, count: int) -> NDArray[np.float64]:
        """Return `count` unit vectors (count, 3), spread over the sphere."""
        vectors = self.normal((count, 3))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _raw(self, shape: int | Sequence[int]) -> NDArray[np.uint64]:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        return np.atleast_1d(self._bits.random_raw(int(np.prod(shape)))).reshape(shape)
