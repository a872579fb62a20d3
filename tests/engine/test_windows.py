"""A volume larger than a window gives what the network gives on the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medimg.engine._windows import peaks, run_windows, starts


@given(st.integers(1, 400), st.integers(24, 128), st.integers(0, 11))
def test_pieces_cover_every_voxel_once_and_keep_their_margin(size, window, margin):
    pieces = starts(size, window=window, margin=margin)
    covered = [index for _, low, high in pieces for index in range(low, high)]
    assert covered == list(range(size))
    for start, low, high in pieces:
        assert start <= low
        assert high <= start + window
        assert low - start >= margin or low == 0
        assert start + window - high >= margin or high == size


def test_windows_agree_with_the_whole_for_a_network_that_sees_less_than_the_margin():
    network = torch.nn.Conv3d(1, 2, kernel_size=5, padding=2).eval()
    array = np.random.default_rng(0).normal(size=(40, 50, 60)).astype(np.float32)
    with torch.inference_mode():
        whole = network(torch.from_numpy(array)[None, None])[0, 1].sigmoid().numpy()
    pieces = run_windows(network, array, channel=1, window=24, margin=4, device="cpu", background=0.0)
    np.testing.assert_allclose(pieces, whole, atol=1e-6)


def test_windows_without_anything_wanted_are_not_run():
    calls = []

    def network(given):
        calls.append(given.shape)
        return torch.ones(1, 1, *given.shape[2:])

    wanted = np.zeros((64, 32, 32), bool)
    wanted[5, 5, 5] = True
    result = run_windows(
        network, np.zeros(wanted.shape, np.float32), channel=0, window=32, margin=0, device="cpu", background=0, wanted=wanted
    )
    assert len(calls) == 1
    assert result[:32].min() > 0.7
    assert result[32:].max() == 0


def test_peaks_are_the_strongest_first_and_apart():
    heat = np.zeros((20, 20, 20), np.float32)
    heat[5, 5, 5], heat[5, 5, 8], heat[15, 15, 15], heat[2, 15, 2] = 0.9, 0.8, 0.95, 0.05
    found = peaks(heat, threshold=0.1, apart=5, most=10)
    assert [place for place, _ in found] == [(15, 15, 15), (5, 5, 5)]
    assert [height for _, height in found] == pytest.approx([0.95, 0.9])
    assert len(peaks(heat, threshold=0.1, apart=5, most=1)) == 1
