"""Files that were made to harm a reader: lengths that lie, bombs, sequences without end, code streams of another size.

`CASES` maps a file name to what makes its bytes; `tricks` makes a folder of links, pipes and names that are no text.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

EX, DEFL, RLE, J2K, JPG, JLS = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.80",
)
CASES = {}


def base(ts=EX, px=None, **kw):
    """Return a sound slice."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "2.25.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "2.25.2", "2.25.3", "CT"
    ds.PatientName, ds.PatientID, ds.FrameOfReferenceUID = "H^H", "H", "2.25.4"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [1, 1], 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 64, 64
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    ds.PixelData = np.zeros((64, 64), "<u2").tobytes() if px is None else px
    ds["PixelData"].VR = "OW" if ts in (EX, DEFL) else "OB"
    if ts not in (EX, DEFL):
        ds["PixelData"].is_undefined_length = True
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ts
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    for k, v in kw.items():
        setattr(ds, k, v)
    return ds


def raw(ds=None):
    """Return the bytes of a data set."""
    import io

    b = io.BytesIO()
    (ds or base()).save_as(b, enforce_file_format=True)
    return b.getvalue()


def el(group, elem, vr, value, length=None):
    """Return an element, its length as told."""
    n = len(value) if length is None else length
    h = struct.pack("<HH", group, elem) + vr
    return h + (struct.pack("<HI", 0, n) if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC") else struct.pack("<H", n)) + value


def tail(extra):
    """extra elements appended after the pixel data (group > 7FE0)."""
    return raw() + extra


def patch(b, tag, new, at=0):
    """overwrite bytes after the first occurrence of an explicit-VR tag header."""
    i = b.index(struct.pack("<HH", *tag))
    return b[: i + at] + new + b[i + at + len(new) :]


def px_len(n):
    """Return a file that tells another length of its pixels."""
    return patch(raw(), (0x7FE0, 0x0010), struct.pack("<I", n), 8)


def keyed(**kw):
    """Return a file with other attributes."""
    ds = base()
    from pydicom import config

    with config.disable_value_validation():
        for k, v in kw.items():
            setattr(ds, k, v)
        return raw(ds)


def ow(tag, s):
    """replace the text value of a short element by s (any length <= 65534)."""
    b = raw()
    i = b.index(struct.pack("<HH", *tag))
    n = struct.unpack("<H", b[i + 6 : i + 8])[0]
    s = s + b" " * (len(s) % 2)
    return b[: i + 6] + struct.pack("<H", len(s)) + s + b[i + 8 + n :]


def sq(depth):
    """Return the beginnings of nested sequences."""
    return b"\xe1\x7f\x10\x00SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth


def frag(parts, bot=b"", end=True):
    """Return fragments."""
    b = [struct.pack("<HHI", 0xFFFE, 0xE000, len(bot)) + bot]
    for p in parts:
        n, v = p if isinstance(p, tuple) else (len(p), p)
        b.append(struct.pack("<HHI", 0xFFFE, 0xE000, n) + v)
    return b"".join(b) + (struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if end else b"")


def encaps(ts, body, **kw):
    """Return a file with compressed pixels."""
    ds = base(ts, encapsulate([b"\0\0"]), **kw)
    b = raw(ds)
    i = b.index(b"\xe0\x7f\x10\x00OB")
    return b[: i + 12] + body


def c(name, f):
    """Name a file."""
    ending = (".nii.gz" if "_gz" in name else ".nii") if name.startswith("nii") else ".dcm"
    CASES[name + ending] = f


c("px_len_2g", lambda: px_len(0x7FFFFFFE))
c("px_len_4g", lambda: px_len(0xFFFFFFFE))
c("px_len_undefined_native", lambda: px_len(0xFFFFFFFF))
c("px_len_short", lambda: px_len(100)[:-8092])
c("private_ob_2g", lambda: tail(el(0x7FE1, 0x1010, b"OB", b"ab", 0x7FFFFFFE)))
c("un_undefined_length", lambda: tail(el(0x7FE1, 0x1010, b"UN", b"ab" * 9, 0xFFFFFFFF)))
c("seq_depth_900", lambda: tail(sq(900)))
c("seq_depth_20000", lambda: tail(sq(20000)))
c("seq_depth_1000000", lambda: tail(sq(1000000)))
c("seq_million_items", lambda: tail(el(0x7FE1, 0x1010, b"SQ", b"\xfe\xff\x00\xe0\0\0\0\0" * 1000000)))
c(
    "million_elements",
    lambda: tail(b"".join(el(0x7FE1 + 2 * (i >> 15), 0x1000 + (i & 0x7FFF), b"US", b"\1\0") for i in range(300000))),
)
c("meta_length_lies", lambda: patch(raw(), (0x0002, 0x0000), struct.pack("<I", 0x7FFFFFFF), 8))
c("unknown_transfer_syntax", lambda: raw().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"))
c("explicit_said_implicit", lambda: raw().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"))
c("rows_cols_65535", lambda: keyed(Rows=65535, Columns=65535))
c("rows_0", lambda: keyed(Rows=0))
c("frames_2147483647", lambda: keyed(NumberOfFrames=2147483647))
c("frames_negative", lambda: keyed(NumberOfFrames=-5))
c("samples_65535", lambda: keyed(SamplesPerPixel=65535))
c("bits_allocated_0", lambda: keyed(BitsAllocated=0))
c("bits_allocated_13", lambda: keyed(BitsAllocated=13))
c("bits_stored_99", lambda: keyed(BitsStored=99, HighBit=98))
c("float_px_and_int_px", lambda: raw(base()) + el(0x7FE0 + 0, 0x0008, b"OB", b"\0" * 8))
c("ds_nan_spacing", lambda: ow((0x0028, 0x0030), b"nan\\nan"))
c("ds_zero_spacing", lambda: ow((0x0028, 0x0030), b"0\\0"))
c("ds_negative_spacing", lambda: ow((0x0028, 0x0030), b"-1\\-1"))
c("ds_1e400_position", lambda: ow((0x0020, 0x0032), b"1e400\\0\\0"))
c("ds_comma", lambda: ow((0x0028, 0x0030), b"1,5\\1,5"))
c("ds_30000_digits", lambda: ow((0x0028, 0x1053), b"9" * 30000))
c("iop_three_values", lambda: ow((0x0020, 0x0037), b"1\\0\\0"))
c("iop_zeros", lambda: ow((0x0020, 0x0037), b"0\\0\\0\\0\\0\\0"))
c("patient_id_path", lambda: ow((0x0010, 0x0020), b"../../../../tmp/medimg_x"))
c("sop_uid_path", lambda: ow((0x0008, 0x0018), b"../../../../tmp/medimg_y"))
c("sop_uid_nul_newline", lambda: ow((0x0008, 0x0018), b"1.2\0\n3"))
c("patient_name_markup", lambda: ow((0x0010, 0x0010), b"<script>alert(1)</script>\x1b[2J\r\n"))
c("charset_unknown", lambda: patch_charset(b"ISO_IR 999"))
c("charset_2000_values", lambda: patch_charset(b"\\".join([b"ISO 2022 IR 87"] * 2000)))
c("charset_escape_mismatch", lambda: patch_charset(b"ISO 2022 IR 6\\ISO 2022 IR 149", b"\x1b$)C\xff\xff\x1b$B"))
c("deflate_bomb_2g", lambda: deflate_bomb(2 << 30))
c("deflate_garbage", lambda: deflate_bomb(0))
c(
    "rle_bomb",
    lambda: encaps(
        RLE, frag([struct.pack("<16I", 2, 64, 64 + 131072, *[0] * 13) + b"\x81\0" * 131072]), Rows=65535, Columns=65535
    ),
)
c("rle_offsets_lie", lambda: encaps(RLE, frag([struct.pack("<16I", 15, *[0xFFFFFFF0] * 15) + b"\0" * 64])))
c("rle_short", lambda: encaps(RLE, frag([struct.pack("<16I", 2, 64, 66, *[0] * 13) + b"\x81\0\x81\0"])))
c("fragment_len_4g", lambda: encaps(JPG, frag([(0xFFFFFFF0, b"ab")], end=False)))
c("fragments_none", lambda: encaps(JPG, frag([])))
c("fragments_million_empty", lambda: encaps(JPG, frag([b""] * 1000000), NumberOfFrames=1))
c("no_delimiter", lambda: encaps(JPG, frag([b"\xff\xd8\xff\xd9"], end=False)))
c("bot_lies", lambda: encaps(JPG, frag([b"\xff\xd8\xff\xd9"] * 2, struct.pack("<2I", 0, 0x7FFFFFF0)), NumberOfFrames=2))
c(
    "jpeg_header_65500",
    lambda: encaps(JPG, frag([jpeg_header(65500, 65500)]), Rows=65500, Columns=65500, BitsAllocated=8, BitsStored=8, HighBit=7),
)
c("j2k_header_60000", lambda: encaps(J2K, frag([j2k_header(60000, 60000)]), Rows=60000, Columns=60000))
c("j2k_header_other_size", lambda: encaps(J2K, frag([j2k_header(60000, 60000)])))
c(
    "jls_header_65000",
    lambda: encaps(
        JLS,
        frag([b"\xff\xd8\xff\xf7\0\x0b\x10\xfd\xe8\xfd\xe8\1\1\x11\0\xff\xda\0\x08\1\1\0\0\0\0\0\0"]),
        Rows=65000,
        Columns=65000,
    ),
)
c(
    "palette_lies",
    lambda: keyed(
        PhotometricInterpretation="PALETTE COLOR",
        RedPaletteColorLookupTableDescriptor=[65535, 0, 16],
        RedPaletteColorLookupTableData=b"\0\0",
        BitsAllocated=16,
    ),
)
c("modality_lut_short", lambda: modality_lut())
c("frames_fg_mismatch", lambda: keyed(SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", NumberOfFrames=3))
c("empty", lambda: b"")
c("preamble_only", lambda: bytes(128) + b"DICM")
c("zeros_1m", lambda: bytes(1 << 20))
c("ff_1m", lambda: b"\xff" * (1 << 20))
c("zip_as_dcm", lambda: b"PK\3\4" + bytes(200))
c(
    "nii_dims_32767",
    lambda: nifti((7, *[32767] * 7)),
)
c("nii_gz_bomb_2g", lambda: gzip_bomb(nifti((3, 2000, 1000, 1000, 1, 1, 1, 1)), 2 << 30))
c("nii_nan_affine", lambda: nifti((3, 4, 4, 4, 1, 1, 1, 1), nan=True) + bytes(128))
c("nii_vox_offset_1e30", lambda: nifti((3, 4, 4, 4, 1, 1, 1, 1), vox=1e30) + bytes(128))


def patch_charset(v, pn=b"H^H"):
    """Return a file with another character set."""
    b = ow((0x0010, 0x0010), pn)
    i = b.index(b"\x08\x00\x16\x00UI")
    v += b" " * (len(v) % 2)
    return b[:i] + el(8, 5, b"CS", v) + b[i:]


def deflate_bomb(n):
    """Return a deflated file that becomes `n` bytes, or garbage."""
    b = raw(base())
    i = b.index(b"\x08\x00\x16\x00UI")
    meta, data = b[:i], b[i:]
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    meta = meta.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    meta = patch(meta, (2, 0), struct.pack("<I", struct.unpack("<I", meta[140:144])[0] + 2), 8)
    j = meta.index(b"\x02\x00\x10\x00UI") + 6
    meta = meta[:j] + struct.pack("<H", 22) + meta[j + 2 :]
    if not n:
        return meta + b"\xff\x00garbage" * 50
    out = z.compress(data + b"\xe1\x7f\x10\x10OB\0\0" + struct.pack("<I", n & 0xFFFFFFFE)) + z.flush(zlib.Z_FULL_FLUSH)
    blk = z.compress(bytes(1 << 24)) + z.flush(zlib.Z_FULL_FLUSH)  # stands alone: repeat it
    return meta + out + blk * (n >> 24) + z.flush()


def jpeg_header(w, h):
    """Return a JPEG picture of a size without its pixels."""
    return (
        b"\xff\xd8\xff\xdb\0\x43\0"
        + b"\1" * 64
        + b"\xff\xc0\0\x0b\x08"
        + struct.pack(">HH", h, w)
        + b"\1\1\x11\0"
        + b"\xff\xc4\0\x14\0\1"
        + bytes(15)
        + b"\0"
        + b"\xff\xc4\0\x14\x10\1"
        + bytes(15)
        + b"\0"
        + b"\xff\xda\0\x08\1\1\0\0\x3f\0"
        + b"\0" * 64
        + b"\xff\xd9"
    )


def j2k_header(w, h):
    """Return a JPEG 2000 picture of a size without its pixels."""
    siz = struct.pack(">HIIIIIIIIH", 0, w, h, 0, 0, w, h, 0, 0, 1) + b"\x0f\1\1"
    cod = b"\0\0\0\1\0\5\4\4\0\1"
    qcd = b"\x40" + b"\x48" * 16
    return (
        b"\xff\x4f\xff\x51"
        + struct.pack(">H", len(siz) + 2)
        + siz
        + b"\xff\x52"
        + struct.pack(">H", len(cod) + 2)
        + cod
        + b"\xff\x5c"
        + struct.pack(">H", len(qcd) + 2)
        + qcd
        + b"\xff\x90\0\x0a\0\0\0\0\0\x10\0\1\xff\x93\0\0\xff\xd9"
    )


def modality_lut():
    """Return a file with a table that is too short."""
    ds = base()
    del ds.RescaleSlope, ds.RescaleIntercept
    it = Dataset()
    it.add_new("LUTDescriptor", "US", [0, 0, 16])
    it.ModalityLUTType = "HU"
    it.add_new("LUTData", "OW", b"\0\0")
    ds.ModalityLUTSequence = [it]
    return raw(ds)


def nifti(dims, nan=False, vox=352.0):
    """Return a NIfTI header."""
    h = bytearray(352)
    struct.pack_into("<i", h, 0, 348)
    struct.pack_into("<8h", h, 40, *dims)
    struct.pack_into("<hh", h, 70, 2, 8)
    struct.pack_into("<8f", h, 76, *[float("nan") if nan else 1.0] * 8)
    struct.pack_into("<f", h, 108, vox)
    struct.pack_into("<ff", h, 112, 1, 0)
    struct.pack_into("<hh", h, 252, 0, 1)
    struct.pack_into("<12f", h, 280, *([float("nan")] * 12 if nan else [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]))
    h[344:348] = b"n+1\0"
    return bytes(h)


def gzip_bomb(head, n):
    """Return a gzip file that becomes `n` bytes."""
    return gzip.compress(head) + gzip.compress(bytes(1 << 24)) * (n >> 24)  # members are concatenated


def tricks(d):
    """symlink loop, FIFO, link to /dev/zero, dangling link, 8 GB sparse file, odd names."""
    d.mkdir(exist_ok=True)
    for n, t in (("loop", "."), ("dangling.dcm", "nowhere"), ("zero.dcm", "/dev/zero")):
        if not (d / n).is_symlink():
            os.symlink(t, d / n)
    if not (d / "fifo.dcm").exists():
        os.mkfifo(d / "fifo.dcm")
    with open(d / "sparse8g.dcm", "wb") as f:
        f.write(raw())
        f.truncate(8 << 30)
    (d / "dir.dcm").mkdir(exist_ok=True)
    with open(os.fsencode(d) + b"/bad\xff\nname.dcm", "wb") as f:
        f.write(raw())
