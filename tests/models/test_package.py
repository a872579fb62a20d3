"""A model package is what its card says, or it is refused in a sentence."""

from __future__ import annotations

import shutil
from hashlib import sha256

import pytest

from medimg.errors import ModelError, OptionError
from medimg.models import load_package, names
from medimg.models.package import PACKAGED


@pytest.fixture
def copy(tmp_path):
    """A copy of the packaged model that a test may damage."""
    return shutil.copytree(PACKAGED / "lung-nodule", tmp_path / "my-model")


def test_the_default_model_is_in_the_package_and_small():
    assert "lung-nodule" in names()
    package = load_package("lung-nodule")
    size = sum(path.stat().st_size for path in package.folder.iterdir())
    assert size <= 12e6
    assert "research only" in package.card.research_only


def test_every_weight_file_has_the_hash_of_its_card():
    package = load_package("lung-nodule")
    for stage in package.card.stages:
        assert sha256((package.folder / stage.weights_file).read_bytes()).hexdigest() == stage.weights_sha256


def test_every_stage_builds_and_takes_its_weights():
    package = load_package("lung-nodule")
    for stage in package.card.stages:
        network = package.network(stage)
        assert not network.training


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(OptionError, match=r"lung-nodule \(the nearest\)"):
        load_package("lung-nodul")


def test_a_folder_is_a_model_too(copy):
    assert load_package(copy).card.name == "lung-nodule"


def test_a_folder_without_a_card(tmp_path):
    with pytest.raises(ModelError, match=r"holds no model\.toml"):
        load_package(tmp_path)


def test_missing_weights(copy):
    (copy / "detect.safetensors").unlink()
    package = load_package(copy)
    with pytest.raises(ModelError, match="cannot be read"):
        package.weights(package.card.stage("detect"))


@pytest.mark.parametrize("damage", ["cut short", "one byte"])
def test_damaged_weights(copy, damage):
    path = copy / "outline.safetensors"
    content = bytearray(path.read_bytes())
    if damage == "one byte":
        content[-100] ^= 1
    else:
        del content[-1000:]
    path.write_bytes(bytes(content))
    package = load_package(copy)
    with pytest.raises(ModelError, match="damaged"):
        package.weights(package.card.stage("outline"))


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('task = "detect"', 'task = "guess"', "guess"),
        ('file = "detect.safetensors"', 'file = "../detect.safetensors"', "bare name"),
        ("[input]", "[inputs]", "input"),
        ('name = "lung-nodule"', "name = ", "not TOML"),
    ],
)
def test_a_wrong_card_is_refused_with_the_field(copy, old, new, match):
    card = copy / "model.toml"
    card.write_text(card.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ModelError, match=match):
        load_package(copy)


def test_an_unknown_network_is_an_option_error(copy):
    card = copy / "model.toml"
    card.write_text(
        card.read_text(encoding="utf-8").replace('network = "centre_unet"', 'network = "center_unet"'), encoding="utf-8"
    )
    package = load_package(copy)
    with pytest.raises(OptionError, match=r"centre_unet \(the nearest\)"):
        package.network(package.card.stage("detect"))


def test_a_card_whose_classes_are_not_those_of_its_cuts_is_refused(copy):
    card = copy / "model.toml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace('classes = ["not calcified", "calcified"]', 'classes = ["calcified"]'), encoding="utf-8")
    with pytest.raises(ModelError, match="calcification has 1 cuts and 1 classes"):
        load_package(copy)
