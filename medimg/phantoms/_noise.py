"""The scanner's noise and the unevenness of tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medimg.phantoms._stream import Stream

    Field = NDArray[np.float64]

SOFT_KERNEL_PER_MM = 0.30  # where a soft kernel has let the noise fall to 1/e
BETWEEN_SLICES = 0.28  # share of its neighbours' noise that a slice has, as slices overlap a little


def scanner_noise(stream: Stream, shape: Sequence[int], *, pixel_mm: float) -> Field:
    """Return noise (slice, row, column) of standard deviation 1 with the spectrum of filtered back projection and a soft kernel.

    Its power rises from nothing with the frequency (the ramp) and is cut off by the kernel: so it is grainy, not blotchy.
    """
    frequency = np.hypot(np.fft.fftfreq(shape[1], pixel_mm)[:, None], np.fft.rfftfreq(shape[2], pixel_mm)[None, :])
    gain = np.sqrt(frequency) * np.exp(-((frequency / SOFT_KERNEL_PER_MM) ** 2))
    white = stream.normal((shape[0] + 2, *shape[1:]))
    white = white[1:-1] + BETWEEN_SLICES * (white[:-2] + white[2:])
    noise = np.stack([np.fft.irfft2(np.fft.rfft2(plane) * gain, s=(shape[1], shape[2])) for plane in white])
    return noise / noise.std()


def unevenness(stream: Stream, shape: Sequence[int], *, sigma: Sequence[float]) -> Field:
    """Return smooth noise of mean 0 and standard deviation 1, correlated over `sigma` points along each axis."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(stream.normal(shape), sigma, mode="wrap")
    return (noise - noise.mean()) / noise.std()
