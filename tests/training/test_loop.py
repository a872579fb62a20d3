"""Training goes on where it was killed, and what is packed is the average."""

from __future__ import annotations

import shutil
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from medimg.models import load_package
from medimg.models.package import PACKAGED
from medimg.training._loop import Schedule, train
from medimg.training.package_model import package_weights


def problem():
    generator = torch.Generator().manual_seed(1)
    given = torch.randn(32, 1, 4, 4, 4, generator=generator)
    torch.manual_seed(2)
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.BatchNorm3d(4), torch.nn.Conv3d(4, 1, 1))
    return network, lambda net: {"square": (net(given) - 2 * given).pow(2).mean()}


def run(path, steps, *, stop_at=None):
    network, loss = problem()
    lines = []

    def tell(line):
        lines.append(line)
        if stop_at and f"step {stop_at} " in line:
            raise KeyboardInterrupt

    schedule = Schedule(steps=steps, learning_rate=1e-2, weight_decay=0.0, save_every=10)
    train(network, loss, schedule=schedule, checkpoint=path, tell=tell, tell_every=5)
    return network, lines


def test_the_loss_falls(tmp_path):
    _, lines = run(tmp_path / "a.pt", 60)
    first, last = (float(line.split()[-1]) for line in (lines[0], lines[-1]))
    assert last < 0.7 * first


def test_a_killed_run_is_taken_up_and_ends_the_same(tmp_path):
    whole, _ = run(tmp_path / "whole.pt", 40)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed.pt", 40, stop_at=25)
    again, lines = run(tmp_path / "killed.pt", 40)
    assert lines[0] == "taken up at step 20"
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_packed_weights_are_the_average_and_the_card_knows_their_hash(tmp_path):
    folder = shutil.copytree(PACKAGED / "lung-nodule", tmp_path / "model")
    package = load_package(folder)
    stage = package.card.stage("detect")
    weights = {name: value * 0.5 if value.is_floating_point() else value for name, value in package.weights(stage).items()}
    torch.save({"average": weights}, tmp_path / "checkpoint.pt")
    package_weights(folder, {stage.weights_file: tmp_path / "checkpoint.pt"})
    package = load_package(folder)
    read = package.weights(package.card.stage("detect"))
    for name, value in weights.items():
        torch.testing.assert_close(read[name], value, rtol=1e-3, atol=1e-4, check_dtype=False)


def test_a_run_with_a_time_limit_ends_at_its_lowest_rate(tmp_path, monkeypatch):
    ticks = count()
    clock = SimpleNamespace(monotonic=lambda: 0.01 * next(ticks))  # each step takes so long, however busy the machine is
    monkeypatch.setattr("medimg.training._loop.time", clock)
    network, loss = problem()
    schedule = Schedule(steps=10**9, learning_rate=1e-2, weight_decay=0.0, limit_s=0.5)
    train(network, loss, schedule=schedule, checkpoint=tmp_path / "a.pt", tell=lambda line: None)
    state = torch.load(tmp_path / "a.pt", weights_only=True)
    assert 0.5 <= state["spent_s"] < 1
    assert state["optimizer"]["param_groups"][0]["lr"] < 2e-3


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    schedule = Schedule(steps=100, learning_rate=1.0, weight_decay=0.0)
    rates = [schedule.rate(share) for share in np.linspace(0, 1, 101)]
    assert max(rates) == pytest.approx(1.0)
    assert np.argmax(rates) == 10
    assert rates[0] < 0.05
    assert rates[-1] < 1e-3
