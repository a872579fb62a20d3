"""Compressed pictures: every syntax gives the very values; what is damaged is said and never ends the program."""

from __future__ import annotations

import subprocess
import sys
import zlib

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid

from medimg import readers
from medimg.errors import ScanError
from tests.builders.ct_series import ct_series

JPEG = "1.2.840.10008.1.2.4."
STAND_IN = JPEG + "201"  # pydicom does not write syntaxes it does not know


def picture(shape=(64, 48)):
    """Return smooth 12-bit values with noise."""
    noise = np.random.default_rng(0).normal(0, 20, shape)
    return (noise.cumsum(0).cumsum(1) % 4096).astype(np.uint16)


LOSSLESS = {
    "JPEG lossless": (JPEG + "70", imagecodecs.ljpeg_encode),
    "JPEG lossless with restarts": (JPEG + "57", lambda values: with_restarts(values)),
    "JPEG-LS": (JPEG + "80", imagecodecs.jpegls_encode),
    "JPEG 2000": (JPEG + "90", lambda values: imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True)),
    "JPEG 2000 in boxes": (JPEG + "90", lambda values: imagecodecs.jpeg2k_encode(values, codecformat="jp2", reversible=True)),
    "HTJ2K": (JPEG + "201", imagecodecs.htj2k_encode),
    "JPEG XL": (JPEG + "110", lambda values: imagecodecs.jpegxl_encode(values, lossless=True)),
    "encapsulated": ("1.2.840.10008.1.2.1.98", lambda values: values.astype("<u2").tobytes()),
    "deflated frames": ("1.2.840.10008.1.2.8.1", lambda values: deflated(values.astype("<u2").tobytes())),
}


def deflated(raw):
    engine = zlib.compressobj(6, zlib.DEFLATED, -15)
    return engine.compress(raw) + engine.flush()


def with_restarts(values):
    """Code a picture as JPEG lossless (first predictor, 16 equal codes of four bits and one more) with a restart every row."""
    counts = [0, 0, 0, 15, 2, *[0] * 11]  # codes of four and five bits for the 17 categories
    table = bytes([0, *counts, *range(17)])
    codes = [(value, 4) for value in range(15)] + [(30, 5), (31, 5)]
    stream = b"\xff\xd8\xff\xc3\0\x0b\x10" + np.array(values.shape, ">u2").tobytes() + b"\1\1\x11\0"
    stream += b"\xff\xc4" + (len(table) + 2).to_bytes(2, "big") + table
    stream += b"\xff\xdd\0\4" + values.shape[1].to_bytes(2, "big") + b"\xff\xda\0\x08\1\1\0\1\0\0"
    for number, row in enumerate(values.astype(int)):
        if number:
            stream += bytes([0xFF, 0xD0 + (number - 1) % 8])
        before, bits = 1 << 15, ""  # after a restart the first sample is predicted as half of the range
        for value in row:
            step = ((int(value) - before + (1 << 15)) & 0xFFFF) - (1 << 15)
            size = abs(step).bit_length()
            code, length = codes[size]
            bits += format(code, f"0{length}b")
            if 0 < size < 16:
                bits += format(step if step > 0 else step + (1 << size) - 1, f"0{size}b")
            before = int(value)
        bits += "1" * (-len(bits) % 8)
        stream += int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    return stream + b"\xff\xd9"


def one_slice(folder, syntax, code, shape):
    """Write one slice with a code stream."""
    ct_series(folder, slices=1)
    (path,) = folder.iterdir()
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = STAND_IN
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Rows, data.Columns = shape
    data.BitsStored, data.HighBit, data.PixelRepresentation, data.RescaleIntercept = 16, 15, 0, 0
    data.PixelData = encapsulate([code])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.save_as(path)
    path.write_bytes(path.read_bytes().replace(STAND_IN.encode() + b"\0", syntax.encode().ljust(24, b"\0"), 1))
    return path


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("shape", [(64, 48), (37, 91)])
def test_every_lossless_syntax_gives_the_very_values(tmp_path, name, shape):
    syntax, encode = LOSSLESS[name]
    values = picture(shape)
    path = one_slice(tmp_path, syntax, bytes(encode(values)), shape)
    assert np.array_equal(readers.read(path).array[0], values)


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["no end", "an end that was put there"])
def test_a_code_stream_that_ends_early_is_never_filled_up(tmp_path, name, end):
    syntax, encode = LOSSLESS[name]
    code = bytes(encode(picture()))
    path = one_slice(tmp_path, syntax, code[: len(code) * 2 // 3] + end, (64, 48))
    with pytest.raises(ScanError, match=r"cut short|damaged|another size|not what"):
        readers.read(path)


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_lossy_picture_that_ends_early_is_never_filled_up(tmp_path, end):
    code = bytes(imagecodecs.jpeg8_encode((picture() >> 4).astype(np.uint8), level=90))
    whole = readers.read(one_slice(tmp_path / "whole", JPEG + "51", code, (64, 48))).array[0]
    assert np.abs(whole - (picture() >> 4).astype(int)).mean() < 5
    with pytest.raises(ScanError, match="cut short"):
        readers.read(one_slice(tmp_path / "cut", JPEG + "51", code[: len(code) * 2 // 3] + end, (64, 48)))


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_picture_of_another_size_is_refused(tmp_path, name):
    syntax, encode = LOSSLESS[name]
    with pytest.raises(ScanError, match=r"another size|cut short"):
        readers.read(one_slice(tmp_path, syntax, bytes(encode(picture((32, 48)))), (64, 48)))


ATTACK = """
import resource, sys
import numpy as np
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
from medimg.readers._dicom_codecs import decode
from medimg.readers._dicom_raw import UndecodableError
from tests.readers.test_codestreams import LOSSLESS, picture

class Header:
    syntax, encode = LOSSLESS[sys.argv[1]]
    def integer(self, key):
        return 16

random = np.random.default_rng(1)
code = bytes(Header.encode(picture()))
for number in range(2000):
    changed = bytearray(code)
    for place in random.integers(0, random.choice([60, 120, len(code)]), random.integers(1, 6)):
        changed[place] = random.choice([0, 1, 127, 128, 255, random.integers(256)])
    try:
        decode(Header(), bytes(changed), 64, 48)
    except UndecodableError:
        pass
print("alive")
"""


@pytest.mark.parametrize("name", [name for name, (syntax, _) in LOSSLESS.items() if syntax.startswith(JPEG)])
def test_no_changed_byte_ends_the_program(name):
    done = subprocess.run([sys.executable, "-c", ATTACK, name], capture_output=True, text=True, timeout=300)
    assert done.stdout == "alive\n", done.stderr[-500:]
