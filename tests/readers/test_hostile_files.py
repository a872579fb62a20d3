"""Every hostile file leaves the program alive, in little time and memory, and is read right or said."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.builders.hostile import CASES, tricks

SECONDS, MIB = 10.0, 450  # of one file, seconds of a processor; the deflated bomb of 2 GiB is the worst, with 0.7 s and 261 MiB
WORK = """
import json, os, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import imagecodecs, nibabel
from medimg import readers
from medimg.errors import MedimgError
import medimg.readers._dicom_read, medimg.readers._dicom_series

def memory(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field)) / 1024

for name in sorted(os.listdir(sys.argv[1])):
    open("/proc/self/clear_refs", "w").write("5")
    before, begun, told = memory("VmRSS"), sum(os.times()[:4]), []
    studies, skipped = readers.scan(os.path.join(sys.argv[1], name))
    for series in (series for study in studies for series in study.series):
        if not series.is_readable:
            told.append("refused: " + series.hazards[0].sentence)
            continue
        try:
            volume, _ = readers.load_series(series)
            told.append(f"read: {volume.array.shape} {volume.array.min()} {volume.array.max()}")
        except MedimgError as error:
            told.append(f"error: {error}")
    told += [f"skipped: {item.reason}" for item in skipped]
    spent = sum(os.times()[:4]) - begun
    print(json.dumps({"name": name, "told": told, "seconds": spent, "mib": memory("VmHWM") - before}), flush=True)
"""
SOUND = "read: (1, 64, 64) -1024 -1024"  # what is odd about the file does not touch its picture
TOLD = {
    "bits_allocated_0": "bits a pixel",
    "bits_allocated_13": "bits a pixel",
    "bits_stored_99": "bits a pixel",
    "bot_lies": "several frames",
    "charset_2000_values": SOUND,
    "charset_escape_mismatch": SOUND,
    "charset_unknown": SOUND,
    "deflate_bomb_2g": "longer than",
    "deflate_garbage": "is damaged",
    "ds_1e400_position": "three finite numbers",
    "ds_30000_digits": "no number",
    "ds_comma": "PixelSpacing",
    "ds_nan_spacing": "PixelSpacing",
    "ds_negative_spacing": "PixelSpacing",
    "ds_zero_spacing": "PixelSpacing",
    "empty": "an empty file",
    "explicit_said_implicit": SOUND,
    "ff_1m": "not an image",
    "float_px_and_int_px": SOUND,
    "fragment_len_4g": "cut short",
    "fragments_million_empty": "not a row of fragments",
    "fragments_none": "cut short",
    "frames_2147483647": "several frames",
    "frames_fg_mismatch": "3 frames and describes 0",
    "frames_negative": "several frames",
    "iop_three_values": "ImageOrientationPatient",
    "iop_zeros": "ImageOrientationPatient",
    "j2k_header_60000": "more than is read",
    "j2k_header_other_size": "another size",
    "jls_header_65000": "more than is read",
    "jpeg_header_65500": "more than is read",
    "meta_length_lies": SOUND,
    "million_elements": SOUND,
    "modality_lut_short": "shorter than it says",
    "nii_dims_32767": "several values a voxel",
    "nii_gz_bomb_2g": "more voxels than are unpacked",
    "nii_nan_affine": "span no volume",
    "nii_vox_offset_1e30": "no place in the file",
    "no_delimiter": "damaged",
    "palette_lies": "colour",
    "patient_id_path": SOUND,
    "patient_name_markup": SOUND,
    "preamble_only": "no data set",
    "private_ob_2g": SOUND,
    "px_len_2g": "cut short",
    "px_len_4g": "cut short",
    "px_len_short": "fewer pixels",
    "px_len_undefined_native": "says that it does not",
    "rle_bomb": "more than is read",
    "rle_offsets_lie": "byte planes",
    "rle_short": "cut short",
    "rows_0": "rows and columns",
    "rows_cols_65535": "more than is read",
    "samples_65535": "colour",
    "seq_depth_1000000": SOUND,
    "seq_depth_20000": SOUND,
    "seq_depth_900": SOUND,
    "seq_million_items": SOUND,
    "sop_uid_nul_newline": SOUND,
    "sop_uid_path": SOUND,
    "un_undefined_length": SOUND,
    "unknown_transfer_syntax": "transfer syntax",
    "zeros_1m": "not an image",
    "zip_as_dcm": "zip",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Write every file and read them all in one child; what it said of each."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, make in CASES.items():
        (folder / name).write_bytes(make())
    tricks(folder / "tricks")
    done = subprocess.run([sys.executable, "-c", WORK, str(folder)], stdout=subprocess.PIPE, check=True, timeout=300)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_hostile_file_is_read_right_or_said(told, name):
    line = told[name]
    assert line["seconds"] < SECONDS
    assert line["mib"] < MIB
    assert len(line["told"]) == 1
    assert TOLD[name.split(".")[0]] in line["told"][0]


def test_links_pipes_and_names_that_are_no_text_are_said(told):
    words = told["tricks"]["told"]
    assert told["tricks"]["seconds"] < SECONDS
    assert told["tricks"]["mib"] < MIB
    assert [line for line in words if line.startswith("read")] == [SOUND]
    reasons = {line.removeprefix("skipped: ").split(";")[0] for line in words if line.startswith("skipped")}
    assert reasons == {
        "a link that leads nowhere",
        "a named pipe",
        "a link to what lies in this folder anyway",
        "a link out of this folder",
    }
