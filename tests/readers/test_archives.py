"""Scans in zip archives and gzip files are read by number of member; no name in them is a path or is shown."""

from __future__ import annotations

import gzip
import re
import zipfile

import numpy as np
import pytest
import SimpleITK as sitk

from medimg import readers
from tests.builders.ct_series import ct_series


@pytest.fixture
def scan(tmp_path):
    hu, _ = ct_series(tmp_path / "scan", slices=5)
    return tmp_path / "scan", hu


def zipped(target, files, **options):
    with zipfile.ZipFile(target, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target


def contents(folder, name="SMITH^JOHN/../../../{}"):
    return {name.format(path.name): path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zipped_series_is_the_series(tmp_path, scan, compression):
    folder, hu = scan
    path = zipped(tmp_path / "a.zip", contents(folder) | {"readme.txt": "words", "in.zip": b"PK\3\4"}, compression=compression)
    assert np.array_equal(readers.read(path).array, hu)
    (study,), skipped = readers.scan(path)
    assert study.series[0].name == readers.scan(folder)[0][0].series[0].name
    assert [item.reason for item in skipped] == ["2 of its 7 members are no images"]


def test_no_name_of_a_member_is_shown_or_used(tmp_path, scan):
    folder, _ = scan
    files = contents(folder)
    first = sorted(files)[0]
    files[first] = files[first][:-100]
    before = sorted(tmp_path.iterdir())
    studies, skipped = readers.scan(zipped(tmp_path / "a.zip", files))
    told = str([series.to_dict() for study in studies for series in study.series]) + str(skipped)
    assert re.search(r"member \d", told)
    assert "SMITH" not in told
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "a.zip"])


def test_a_folder_of_archives_and_files_is_one_place(tmp_path, scan):
    folder, hu = scan
    files = sorted(folder.iterdir())
    zipped(folder / "half.zip", {path.name: path.read_bytes() for path in files[:3]})
    for path in files[:3]:
        path.unlink()
    (folder / "last.dcm.gz").write_bytes(gzip.compress(files[-1].read_bytes()))
    files[-1].unlink()
    assert np.array_equal(readers.read(folder).array, hu)


@pytest.mark.parametrize("ending", ["mha", "nrrd", "nii"])
def test_volumes_in_gzip_and_in_zip_are_read(tmp_path, ending):
    array = np.random.default_rng(0).integers(-100, 100, (4, 5, 6)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(array), tmp_path / f"a.{ending}")
    raw = (tmp_path / f"a.{ending}").read_bytes()
    (tmp_path / f"b.{ending}.gz").write_bytes(gzip.compress(raw))
    zipped(tmp_path / "c.zip", {f"a.{ending}.gz": gzip.compress(raw)})
    for path in (f"a.{ending}", f"b.{ending}.gz", "c.zip"):
        assert np.array_equal(readers.read(tmp_path / path).array, array)


def test_an_archive_that_changed_is_read_anew(tmp_path, scan):
    folder, _ = scan
    path = zipped(tmp_path / "a.zip", contents(folder))
    assert readers.read(path).shape[0] == 5
    zipped(path, dict(sorted(contents(folder).items())[:4]))
    assert readers.read(path).shape[0] == 4


def test_a_damaged_archive_is_said(tmp_path, scan):
    folder, _ = scan
    whole = zipped(tmp_path / "a.zip", contents(folder), compression=zipfile.ZIP_DEFLATED).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    assert [item.reason for item in readers.scan(tmp_path / "cut.zip")[1]] == ["a zip archive that is damaged"]
    harmed = bytearray(whole)
    harmed[1500:1510] = b"\xff" * 10
    (tmp_path / "harmed.zip").write_bytes(harmed)
    _, skipped = readers.scan(tmp_path / "harmed.zip")
    assert [item.reason for item in skipped] == ["a damaged member of a zip archive"]
    (tmp_path / "x.dcm.gz").write_bytes(gzip.compress(next(folder.iterdir()).read_bytes())[:-400])
    assert [item.reason for item in readers.scan(tmp_path / "x.dcm.gz")[1]] == ["a gzip file that is damaged"]


def test_a_bomb_is_left_packed(tmp_path, scan, monkeypatch):
    from medimg.readers import _archives

    monkeypatch.setattr(_archives, "ALWAYS_BYTES", 1 << 20)
    folder, _ = scan
    bomb = next(folder.iterdir()).read_bytes() + bytes(64 << 20)
    path = zipped(tmp_path / "a.zip", {"a.dcm": bomb}, compression=zipfile.ZIP_DEFLATED)
    assert "becomes more than" in readers.scan(path)[1][0].reason
    (tmp_path / "b.dcm.gz").write_bytes(gzip.compress(bomb))
    assert "becomes more than" in readers.scan(tmp_path / "b.dcm.gz")[1][0].reason


def test_an_archive_without_a_scan_says_so(tmp_path):
    path = zipped(tmp_path / "a.docx", {"word/document.xml": "<?xml"})
    assert [item.reason for item in readers.scan(path)[1]] == ["a zip archive without a scan in it"]
