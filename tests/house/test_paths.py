"""Wherever a public function takes a path, text will do."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types

import pytest

import medimg
from tests.builders.study import study_result

MADE_BY_US = {"Series", "SourceSlice", "StudyResult", "Conversion", "Sent", "ModelPackage"}  # values that are given, not taken


def functions():
    """Give every public function, and every public method of a public class, by its name."""
    for room in sorted(module.name for module in pkgutil.iter_modules(medimg.__path__) if module.ispkg):
        front = importlib.import_module(f"medimg.{room}")
        for name in getattr(front, "__all__", ()):
            found = getattr(front, name)
            if isinstance(found, types.FunctionType):
                yield f"{room}.{name}", found
            elif isinstance(found, type) and name not in MADE_BY_US:
                for part, method in vars(found).items():
                    if isinstance(method, types.FunctionType) and (part == "__init__" or not part.startswith("_")):
                        yield f"{room}.{name}.{part}", method


def test_every_path_may_be_text():
    asked = {
        f"{name}({each.name})": str(each.annotation)
        for name, function in functions()
        for each in inspect.signature(function).parameters.values()
        if "Path" in str(each.annotation) and "Callable" not in str(each.annotation)
    }
    assert len(asked) > 40
    assert [name for name, kinds in asked.items() if "str" not in kinds] == []


@pytest.fixture
def result(tmp_path):
    return study_result(tmp_path / "source", heat=False)


@pytest.mark.parametrize(("write", "name"), [("write_nifti", "x.nii.gz"), ("write_nifti", "x.nii"), ("write_nrrd", "x.nrrd")])
def test_writers_take_text(result, tmp_path, write, name):
    path = getattr(medimg.writers, write)(result.volume, str(tmp_path / name))
    assert path == tmp_path / name
    assert medimg.read(str(path)).shape == result.volume.shape


def test_reports_take_text(result, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    files = medimg.reports.write_all(result, str(folder))
    assert {path.name for path in files} >= {"seg.dcm", "sr.dcm", "report.html", "run.json"}
    assert all(path.parent == folder for path in files)


def test_readers_take_text(result, tmp_path):
    source = str(tmp_path / "source")
    folder = tmp_path / "out"
    folder.mkdir()
    medimg.reports.write_all(result, folder)
    seg, sr = str(folder / "seg.dcm"), str(folder / "sr.dcm")
    assert medimg.read(source).shape == result.volume.shape
    assert len(medimg.read_all(source)) == 1
    assert medimg.read_mask(seg, scan=source).present == (1, 2)
    assert medimg.read_seg(seg).present == (1, 2)
    assert len(medimg.read_sr(sr, segmentation=seg).findings) == 2


def test_a_card_and_certificates_are_taken_as_text(tmp_path):
    from medimg.errors import ModelError, OptionError

    package = medimg.models.load_package("lung-nodule")
    assert medimg.models.read_card(str(package.folder / "model.toml")).name == "lung-nodule"
    with pytest.raises(ModelError, match=r"model\.toml cannot be read"):
        medimg.models.read_card(str(tmp_path / "model.toml"))
    node = medimg.nodes.DimseNode(name="a", host="localhost", port=4242, ae_title="A", tls=True, ca_file=str(tmp_path / "ca.pem"))
    with pytest.raises(OptionError, match=r"ca\.pem, which cannot be read"):
        medimg.nodes.echo(node)
    web = medimg.nodes.WebNode(name="b", url="https://localhost:1/dicom-web", ca_file=str(tmp_path / "ca.pem"))
    with pytest.raises(OptionError, match=r"ca\.pem, which cannot be read"):
        medimg.nodes.echo(web)
