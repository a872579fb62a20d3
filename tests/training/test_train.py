"""`medimg train` goes from a configuration and data to a package that runs; killed, it goes on; two processes share it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from medimg.cli import main
from medimg.engine import load_model
from medimg.errors import OptionError, ScanError
from medimg.training import train
from tests.training.folder_of_cubes import write_cubes

CONFIG = """
[model]
name = "mine"
version = "1.2.3"
summary = "A test's."

[detect]
steps = {steps}
cubes_a_step = 1
check_every = 2

[outline]
steps = {steps}
nodules_a_step = 2
others_a_step = 1
check_every = 2
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    splits = ("train", "train", "train", "train", "val", "val", "val", "val", "test")
    return write_cubes(tmp_path_factory.mktemp("data"), np.linspace(3, 6, 9), row_of=lambda number: {"split": splits[number]})


def config(folder, steps=4):
    path = folder / "mine.toml"
    path.write_text(CONFIG.format(steps=steps))
    return path


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    assert main(["train", str(config(folder)), "--data", str(data), "--output", str(folder / "out"), "--quiet"]) == 0
    return folder


def test_the_package_runs_and_says_whose_it_is(trained):
    model = load_model(trained / "out" / "model", device="cpu")
    assert (model.card.name, model.card.version, model.card.summary) == ("mine", "1.2.3", "A test's.")
    assert model.card.second_opinion is not None
    assert "val_nodules" in model.card.evidence


def test_no_patient_of_another_split_was_seen(trained):
    patients = (trained / "out" / "model" / "patients.csv").read_text()
    assert "P7" in patients
    assert "P8" not in patients
    assert json.loads((trained / "out" / "model" / "figures.json").read_text())["nodules"] == 4


def test_the_log_is_one_that_tensorboard_reads(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained / "out" / "work" / "outline.log"))
    events.Reload()
    assert "loss on other patients" in events.Tags()["scalars"]


def test_the_card_says_nothing_that_held_for_the_packaged_model_alone(trained):
    """Licence, evidence and reasons are of other weights and other patients; whose data these are, nobody said."""
    card = load_model(trained / "out" / "model", device="cpu").card
    assert card.licence == "not stated"
    assert {name for name in card.evidence if name.endswith("_nodules")} == {"val_nodules"}
    assert "0.2.0" not in card.evidence["how"]
    assert not any("98 %" in stage.why for stage in card.stages)
    assert "LIDC" not in (trained / "out" / "model" / "patients.csv").read_text()


def test_what_nobody_rated_is_no_score_of_the_model(tmp_path):
    """The network gives numbers for suspicion and texture, too, when only outlines taught it; they mean nothing."""
    nothing = dict.fromkeys(("malignant", "malignancy_mean", "texture_mean"), "")
    splits = ("train", "train", "val", "val")
    data = write_cubes(tmp_path / "data", np.linspace(4, 6, 4), row_of=lambda number: {"split": splits[number], **nothing})
    folder = train(config(tmp_path, steps=1), data=data, output=tmp_path / "out", tell=lambda line: None)
    card = load_model(folder, device="cpu").card
    assert [line.name for line in card.stage("classify").scores] == ["nodule", "calcification"]
    assert card.second_opinion is None
    assert not [name for name in json.loads((folder / "figures.json").read_text()) if name.startswith(("malig", "texture"))]


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A network of other widths, taught with whether each nodule is malignant and no reader's rating."""
    folder = tmp_path_factory.mktemp("narrow")
    unrated = dict.fromkeys(("malignancy_mean", "texture_mean", "calcification_mean"), "")
    splits = ("train", "train", "train", "train", "val", "val")
    data = write_cubes(
        folder / "data",
        np.linspace(3, 6, 6),
        row_of=lambda number: {"split": splits[number], **unrated, "malignant": str(number % 2)},
    )
    path = config(folder, steps=1)
    path.write_text(path.read_text() + "channels = [4, 8, 8, 16]\n")
    return train(path, data=data, output=folder / "out")


def test_a_network_of_other_widths_runs_from_its_package(narrow):
    """The card says how wide the network is: one that said the packaged model's widths could not be loaded."""
    model = load_model(narrow, device="cpu")
    assert model.card.stage("outline").arguments["channels"] == [4, 8, 8, 16]
    assert "val_nodules" in model.card.evidence


def test_malignant_alone_teaches_suspicion(narrow):
    """Tables of biopsies have no readers: what is malignant stands for what readers would suspect."""
    card = load_model(narrow, device="cpu").card
    assert [line.name for line in card.stage("classify").scores] == ["nodule", "suspicion"]
    assert card.second_opinion is not None


def test_checkpoints_of_other_data_are_not_taken_up(trained, tmp_path):
    other = write_cubes(tmp_path / "data", (4, 5), row_of=lambda number: {"split": ("train", "val")[number]})
    with pytest.raises(OptionError, match="a training on other data"):
        train(config(trained), data=other, output=trained / "out")


def test_a_run_that_is_called_again_goes_on(trained, data):
    before = torch.load(trained / "out" / "work" / "outline.pt", weights_only=True)
    killed, others = trained / "out" / ".partial-killed", trained / "out" / ".partial-of-others"
    shutil.copytree(trained / "out" / "model", killed)
    others.mkdir()
    lines = []
    train(config(trained, steps=6), data=data, output=trained / "out", tell=lines.append)
    after = torch.load(trained / "out" / "work" / "outline.pt", weights_only=True)
    assert (before["step"], after["step"]) == (4, 6)
    assert [line for line in lines if "taken up at step 4" in line]
    assert not killed.exists(), "a packing that was killed left it"
    assert others.exists()


def test_a_package_that_a_killed_packing_moved_away_comes_back(tmp_path):
    """Between two names on the disk the former package has none of its own: killed then, it must not be lost."""
    from medimg.training.train import _sweep

    for name in (".partial-x", ".partial-x-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.toml").write_text(name)
    _sweep(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "model.toml").read_text() == ".partial-x-old"


def test_a_run_that_gets_no_better_ends(tmp_path):
    from medimg.training._loop import Schedule
    from medimg.training._loop import train as loop

    network = torch.nn.Conv3d(1, 1, 1)
    worse = iter(range(100))
    schedule = Schedule(steps=1000, learning_rate=1e-3, weight_decay=0, check_every=5, patience=3, save_every=10)
    loop(
        network,
        lambda net: {"x": net(torch.ones(1, 1, 2, 2, 2)).pow(2).mean()},
        schedule=schedule,
        checkpoint=tmp_path / "a.pt",
        check=lambda net: float(next(worse)),
        tell=lambda line: None,
    )
    state = torch.load(tmp_path / "a.pt", weights_only=True)
    assert (state["step"], state["best_step"], state["best"]) == (20, 5, 0.0)


def test_two_processes_share_a_training(data, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "medimg", "train"]
    arguments = [str(config(tmp_path, steps=2)), "--data", str(data), "--output", str(tmp_path / "out"), "--quiet"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert load_model(tmp_path / "out" / "model", device="cpu").card.name == "mine"
    assert torch.load(tmp_path / "out" / "work" / "detect.pt", weights_only=True)["step"] == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[detect]\nsteps = "many"\n', r"steps cannot be many. Give a whole number from 1 on"),
        ("[outline]\nsteps = 0\n", "a whole number from 1 on"),
        ("[outline]\nlearning_rate = -1.0\n", "a number above 0"),
        ("[outline]\nchannels = 16\n", "a list of whole numbers"),
        ("[model]\nversion = 1.0\n", "words in quotes"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_before_anything_runs(tmp_path, text, words):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(OptionError, match=words):
        train(tmp_path / "a.toml", data=tmp_path, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_not_understood_is_answered(tmp_path, data):
    (tmp_path / "a.toml").write_text("[detect]\nstep = 4\n")
    with pytest.raises(OptionError, match=r"steps \(the nearest\)"):
        train(tmp_path / "a.toml", data=data, output=tmp_path / "out")
    (tmp_path / "a.toml").write_text("")
    with pytest.raises(OptionError, match="a folder of nodule cubes"):
        train(tmp_path / "a.toml", output=tmp_path / "out")
    with pytest.raises(ScanError):
        train(tmp_path / "a.toml", data=tmp_path, output=tmp_path / "out")
