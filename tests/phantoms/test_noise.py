"""Noise is grainy like a scanner's, and unevenness smooth."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.phantoms._noise import scanner_noise, unevenness
from medimg.phantoms._stream import Stream


@pytest.fixture(scope="module")
def noise():
    return scanner_noise(Stream(4, "noise"), (6, 128, 160), pixel_mm=1.0)


def test_deviation_is_1_and_there_is_no_offset(noise):
    assert noise.std() == pytest.approx(1)
    assert np.abs(noise.mean(axis=(1, 2))).max() < 1e-9  # the ramp lets no constant through


def test_it_is_grainy_not_blotchy(noise):
    power = (np.abs(np.fft.rfft2(noise)) ** 2).mean(axis=0)
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(160)[None, :])
    level = lambda low, high: power[(frequency >= low) & (frequency < high)].mean()  # noqa: E731
    assert level(0.001, 0.04) < 0.4 * level(0.12, 0.18)  # the ramp
    assert level(0.42, 0.5) < 0.2 * level(0.12, 0.18)  # the soft kernel


def test_neighbours_are_alike(noise):
    row = np.mean(noise[:, :, :-1] * noise[:, :, 1:])
    column = np.mean(noise[:, :-1] * noise[:, 1:])
    assert 0.2 < row < 0.7
    assert row == pytest.approx(column, abs=0.05)  # the same along both axes


def test_slices_share_a_little(noise):
    assert 0.1 < np.mean(noise[:-1] * noise[1:]) < 0.7


def test_unevenness_is_smooth_with_deviation_1():
    field = unevenness(Stream(4, "patches"), (30, 30, 30), sigma=(3, 3, 3))
    assert field.mean() == pytest.approx(0, abs=1e-9)
    assert field.std() == pytest.approx(1)
    assert np.mean(field[1:] * field[:-1]) > 0.9
