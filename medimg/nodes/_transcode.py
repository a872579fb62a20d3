"""Encode an instance anew for a peer that does not take it as it is."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medimg.nodes._instances import Instance

IMPLICIT = "1.2.840.10008.1.2"
PLUGIN = "medimg"
BYTES_LIMIT = 1 << 31  # of decompressed pixels; they are in memory twice
# Syntaxes that pydicom cannot decode with what medimg installs (Pillow decodes baseline JPEG and JPEG 2000).
JPEG_EXTENDED, JPEG_LOSSLESS, JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
HIGH_THROUGHPUT = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
DECODER_DEPENDENCIES: dict[str, tuple[str, ...]] = dict.fromkeys(
    (JPEG_EXTENDED, JPEG_LOSSLESS, JPEG_LOSSLESS_SV1, *JPEG_LS, *HIGH_THROUGHPUT), ("imagecodecs",)
)  # pydicom asks a plugin for these two names

_lock = Lock()  # pydicom's table of plugins is no thing for several threads


class TranscodeError(Exception):
    """The instance cannot be encoded anew; the text goes behind "it"."""


def transcode(instance: Instance, syntax: str) -> bytes:
    """Return the data set of an instance in uncompressed little endian, with the same SOP instance UID and the same pixel values.

    Args:
        instance: what to encode.
        syntax: Explicit or Implicit VR Little Endian.

    Raises:
        TranscodeError: why it cannot be.
    """
    import warnings

    from pydicom import dcmread
    from pydicom.uid import UID

    if UID(instance.syntax) == "1.2.840.10008.1.2.2":
        raise TranscodeError("is big-endian, which medimg does not turn round")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values
            dataset = dcmread(instance.file)
            if UID(instance.syntax).is_compressed and "PixelData" in dataset:
                _require_size(dataset)
                plugin = PLUGIN if instance.syntax in DECODER_DEPENDENCIES else ""
                if plugin:
                    _know_plugin(instance.syntax)
                dataset.decompress(generate_instance_uid=False, decoding_plugin=plugin)
            return _encoded(dataset, is_implicit=syntax == IMPLICIT)
    except TranscodeError:
        raise
    except Exception as error:  # each codec, and each damaged element, raises its own kind; the text may quote the patient
        raise TranscodeError("cannot be decompressed or encoded anew") from error


def _encoded(dataset: Any, *, is_implicit: bool) -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = is_implicit, True
    write_dataset(file, dataset)
    return bytes(file.getvalue())


def _require_size(dataset: Any) -> None:
    pixels = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * int(dataset.get("NumberOfFrames") or 1)
    if pixels * dataset.BitsAllocated // 8 > BYTES_LIMIT:
        raise TranscodeError("is too large to be decompressed")


def _know_plugin(syntax: str) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    decoder = get_decoder(syntax)
    with _lock:
        if PLUGIN not in (*decoder.available_plugins, *decoder.missing_dependencies):
            decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))


def is_available(syntax: str) -> bool:
    """Answer pydicom's question whether this plugin decodes a transfer syntax."""
    return syntax in DECODER_DEPENDENCIES


def decode_frame(code: bytes, runner: Any) -> bytes:
    """Decode one frame for pydicom; the words are as wide as BitsAllocated says."""
    import imagecodecs
    import numpy as np

    syntax = str(runner.transfer_syntax)
    if syntax in JPEG_LS:
        values = imagecodecs.jpegls_decode(code)
    elif syntax in HIGH_THROUGHPUT:
        values = imagecodecs.jpeg2k_decode(code)
    elif syntax == JPEG_EXTENDED and runner.samples_per_pixel != 1:
        raise ValueError("colours of 12 bits")
    else:
        values = imagecodecs.jpeg8_decode(code) if syntax == JPEG_EXTENDED else imagecodecs.ljpeg_decode(code)
    shape = (runner.rows, runner.columns) + ((runner.samples_per_pixel,) if runner.samples_per_pixel > 1 else ())
    if values.shape != shape:
        raise ValueError("another size than the header says")
    spare = runner.bits_allocated - runner.bits_stored
    if runner.pixel_representation == 1 and values.dtype.kind == "u":
        values = ((values.astype(f"u{runner.bits_allocated // 8}") << spare).view(f"i{runner.bits_allocated // 8}")) >> spare
    return np.ascontiguousarray(values.astype(f"<{values.dtype.kind}{runner.bits_allocated // 8}")).tobytes()
