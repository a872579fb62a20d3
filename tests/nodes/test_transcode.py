"""What is encoded anew has the same pixels and the same name."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate

from medimg.nodes._instances import gather
from medimg.nodes._transcode import IMPLICIT, TranscodeError, transcode

EXPLICIT = "1.2.840.10008.1.2.1"
LOSSLESS_JPEG, JPEG_LS, JPEG_2000, HTJ2K = (f"1.2.840.10008.1.2.4.{number}" for number in (70, 80, 90, 201))


def written(dataset, folder, syntax, code):
    dataset.PixelData = encapsulate([code])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(folder / "slice.dcm", enforce_file_format=True)
    (instance,) = gather([folder / "slice.dcm"]).instances
    return instance


def read(content, syntax):
    from pynetdicom.dsutils import decode

    dataset = decode(BytesIO(content), syntax == IMPLICIT, True)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


@pytest.fixture
def dataset(source):
    """A slice of 12 bits with a sign."""
    dataset = pydicom.dcmread(sorted(source.iterdir())[0])
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 1
    return dataset


def encoders():
    import imagecodecs

    def pattern(array):
        return (array & 0xFFF).astype(np.uint16)

    return {
        "lossless JPEG": (LOSSLESS_JPEG, lambda array: imagecodecs.ljpeg_encode(pattern(array), bitspersample=12)),
        "JPEG-LS": (JPEG_LS, lambda array: imagecodecs.jpegls_encode(pattern(array))),
        "JPEG 2000": (JPEG_2000, lambda array: imagecodecs.jpeg2k_encode(array, level=0, codecformat="j2k", bitspersample=12)),
    }


@pytest.mark.parametrize("wanted", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("name", ["lossless JPEG", "JPEG-LS", "JPEG 2000"])
def test_signed_values_keep_their_sign(dataset, tmp_path, name, wanted):
    array = np.random.default_rng(0).integers(-2048, 2048, (dataset.Rows, dataset.Columns)).astype(np.int16)
    syntax, encode = encoders()[name]
    back = read(transcode(written(dataset, tmp_path, syntax, encode(array)), wanted), wanted)
    assert np.array_equal(np.frombuffer(back.PixelData, "<i2").reshape(array.shape), array)
    assert np.array_equal(back.pixel_array, array)
    assert back.SOPInstanceUID == dataset.SOPInstanceUID
    assert (back.BitsStored, back.PixelRepresentation) == (12, 1)


@pytest.mark.parametrize("name", ["lossless JPEG", "JPEG-LS"])
def test_colours_keep_their_order(dataset, tmp_path, name):
    import imagecodecs

    rows, columns = np.indices((dataset.Rows, dataset.Columns))
    array = np.stack([rows, columns * 2, rows + columns + 50], axis=-1).astype(np.uint8)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    syntax, code = (JPEG_LS, imagecodecs.jpegls_encode(array)) if name == "JPEG-LS" else (LOSSLESS_JPEG, None)
    if code is None:
        code = imagecodecs.jpeg8_encode(array, lossless=True, colorspace="RGB", outcolorspace="RGB")
    back = read(transcode(written(dataset, tmp_path, syntax, code), EXPLICIT), EXPLICIT)
    assert np.array_equal(back.pixel_array, array)
    assert back.PhotometricInterpretation == "RGB"


def test_what_cannot_be_decompressed_is_refused(dataset, tmp_path):
    import imagecodecs

    other = np.zeros((dataset.Rows + 1, dataset.Columns), np.uint16)
    for code in (imagecodecs.jpegls_encode(other), b"no code at all ", imagecodecs.jpegls_encode(other)[:40]):
        with pytest.raises(TranscodeError, match="cannot be decompressed"):
            transcode(written(dataset, tmp_path, JPEG_LS, code), EXPLICIT)


def test_what_would_fill_the_memory_is_refused(dataset, tmp_path):
    dataset.Rows = dataset.Columns = 65535
    with pytest.raises(TranscodeError, match="too large"):
        transcode(written(dataset, tmp_path, JPEG_LS, b"code"), EXPLICIT)
