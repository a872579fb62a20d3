"""Which files of a folder are DICOM instances, from their headers alone; nothing hostile in a header gets far."""

from __future__ import annotations

import os

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from medimg.errors import OptionError
from medimg.nodes._instances import gather


@pytest.fixture
def dataset(source):
    return pydicom.dcmread(sorted(source.iterdir())[0])


def test_an_instance_knows_who_it_is_and_where_its_data_set_begins(seg_file):
    (one,) = gather([seg_file]).instances
    there = pydicom.dcmread(seg_file)
    assert (one.class_uid, one.instance_uid) == (there.SOPClassUID, there.SOPInstanceUID)
    assert (one.study_uid, one.series_uid) == (there.StudyInstanceUID, there.SeriesInstanceUID)
    assert one.syntax == there.file_meta.TransferSyntaxUID
    assert seg_file.read_bytes()[one.offset : one.offset + 2] == b"\x08\x00"
    assert one.is_unchanged()


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_encodings_are_understood(dataset, tmp_path, syntax):
    path = tmp_path / "slice.dcm"
    if syntax.is_deflated:
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path, enforce_file_format=True)
    else:
        header = pydicom.Dataset()
        for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            header[keyword] = dataset[keyword]
        header.file_meta = dataset.file_meta
        header.file_meta.TransferSyntaxUID = syntax
        header.save_as(path, enforce_file_format=True, implicit_vr=False, little_endian=False)
    (one,) = gather([path]).instances
    assert (one.instance_uid, one.series_uid) == (dataset.SOPInstanceUID, dataset.SeriesInstanceUID)


def test_what_is_no_instance_is_said(dataset, tmp_path):
    dataset.save_as(tmp_path / "slice.dcm", enforce_file_format=True)
    (tmp_path / "report.html").write_text("<html>")
    (tmp_path / "empty").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/hostname")
    gathered = gather([tmp_path])
    assert [one.file.name for one in gathered.instances] == ["slice.dcm"]
    assert {item.what for item in gathered.skipped} == {"report.html", "empty", "pipe", "link"}
    assert not gathered.damaged


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("SOPInstanceUID", "../../etc/passwd"),
        ("StudyInstanceUID", ""),
        ("SeriesInstanceUID", None),
        ("StudyInstanceUID", "1." + "2" * 70),
        ("SOPInstanceUID", "1.2.3"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI", "ignore:The value length")
def test_a_header_that_names_no_clear_instance_cannot_be_sent(dataset, tmp_path, keyword, value):
    if value is None:
        delattr(dataset, keyword)
    else:
        setattr(dataset, keyword, value)
    with (tmp_path / "slice.dcm").open("wb") as file:
        pydicom.filewriter.dcmwrite(file, dataset, enforce_file_format=False)
    gathered = gather([tmp_path])
    assert not gathered.instances
    assert [bad.name for bad in gathered.damaged] == ["slice.dcm"]


def test_a_deflated_file_that_is_endless_is_not_inflated_as_a_whole(dataset, tmp_path):
    import tracemalloc
    import zlib

    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.PixelData = b""
    dataset.save_as(tmp_path / "whole.dcm", enforce_file_format=True)
    (one,) = gather([tmp_path / "whole.dcm"]).instances
    content = (tmp_path / "whole.dcm").read_bytes()
    inflated = zlib.decompressobj(-15).decompress(content[one.offset :])
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = engine.compress(inflated) + engine.compress(bytes(300 << 20)) + engine.flush()
    (tmp_path / "whole.dcm").write_bytes(content[: one.offset] + packed)
    tracemalloc.start()
    (again,) = gather([tmp_path / "whole.dcm"]).instances
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert again.instance_uid == one.instance_uid
    assert peak < 32 << 20


def test_no_path_at_all():
    with pytest.raises(OptionError, match="path"):
        gather([])
