"""What DICOM objects are that are no image volume, by SOP class (PS3.4 annex B.5) and modality."""

from __future__ import annotations

from functools import lru_cache

STORAGE = "1.2.840.10008.5.1.4.1.1."
SECONDARY_CAPTURE = STORAGE + "7"
FUNCTIONAL_GROUP_CLASSES = frozenset(
    STORAGE + end
    for end in (
        "2.1",  # Enhanced CT
        "2.2",  # Legacy Converted Enhanced CT
        "4.1",  # Enhanced MR
        "4.3",  # Enhanced MR Color
        "4.4",  # Legacy Converted Enhanced MR
        "130",  # Enhanced PET
        "128.1",  # Legacy Converted Enhanced PET
        "13.1.1",  # X-Ray 3D Angiographic
        "13.1.2",  # X-Ray 3D Craniofacial
        "13.1.3",  # Breast Tomosynthesis
    )
)
MODALITIES = {"2": "CT", "2.1": "CT", "2.2": "CT", "4": "MR", "4.1": "MR", "4.4": "MR", "128": "PT", "130": "PT", "128.1": "PT"}
PROJECTIONS = frozenset(
    {"CR", "DX", "MG", "IO", "PX", "RG", "RF", "XA", "BMD"}
)  # one picture each, without a place in the patient
NO_SCANS = (  # the longest start that fits names the object
    ("1.2.840.10008.1.3.10", "a DICOMDIR; it is a list, and what lies in the folder is read without it"),
    (STORAGE + "66.4", "a segmentation (SEG), not a scan"),
    (STORAGE + "66.7", "a segmentation (SEG), not a scan"),
    (STORAGE + "66.5", "a surface segmentation, not a scan"),
    (STORAGE + "66.1", "a spatial registration, not a scan"),
    (STORAGE + "66.2", "fiducials, not a scan"),
    (STORAGE + "66.3", "a spatial registration, not a scan"),
    (STORAGE + "66.6", "a tractography, not a scan"),
    (STORAGE + "66", "raw data, not a scan"),
    (STORAGE + "67", "a real-world value mapping, not a scan"),
    (STORAGE + "68", "a surface mesh, not a scan"),
    (STORAGE + "88.59", "a key object selection (KO), not a scan"),
    (STORAGE + "88", "a structured report (SR), not a scan"),
    (STORAGE + "104", "an encapsulated document, not a scan"),
    (STORAGE + "11", "a presentation state (PR), not a scan"),
    (STORAGE + "481.2", "a radiotherapy dose (RTDOSE), not a scan"),
    (STORAGE + "481.3", "a radiotherapy structure set (RTSTRUCT), not a scan"),
    (STORAGE + "481", "a radiotherapy object, not a scan"),
    (STORAGE + "30", "a parametric map, not a scan"),
    (STORAGE + "9", "a waveform, not a scan"),
    (STORAGE + "7", "a secondary capture (SC), a picture of a screen or a result, not a scan"),
    (STORAGE + "6", "ultrasound, which says nothing of its place in the patient"),
    (STORAGE + "3", "ultrasound, which says nothing of its place in the patient"),
    (STORAGE + "77.1.6", "a slide microscopy image, not a scan"),
    (STORAGE + "77", "a photograph or video, not a scan"),
)
NO_SCAN_MODALITIES = {
    "SEG": "a segmentation (SEG), not a scan",
    "SR": "a structured report (SR), not a scan",
    "PR": "a presentation state (PR), not a scan",
    "KO": "a key object selection (KO), not a scan",
    "RTSTRUCT": "a radiotherapy structure set (RTSTRUCT), not a scan",
    "RTDOSE": "a radiotherapy dose (RTDOSE), not a scan",
    "RTPLAN": "a radiotherapy plan (RTPLAN), not a scan",
    "US": "ultrasound, which says nothing of its place in the patient",
    "IVUS": "ultrasound, which says nothing of its place in the patient",
    "OT": "of no modality (OT), not a scan",
    "SM": "a slide microscopy image, not a scan",
    "DOC": "a document, not a scan",
    "REG": "a spatial registration, not a scan",
}


def modality_of(sop_class: str) -> str:
    """Return the modality that a SOP class can only have, for headers that leave it out; "" if it may be of several."""
    return MODALITIES.get(sop_class.removeprefix(STORAGE), "") if sop_class.startswith(STORAGE) else ""


@lru_cache(maxsize=256)
def not_a_scan(sop_class: str, modality: str) -> str:
    """Say what an object is that is no scan; "" for one that may be."""
    fits = [(start, words) for start, words in NO_SCANS if sop_class == start or sop_class.startswith(start + ".")]
    if fits:
        return max(fits, key=lambda fit: len(fit[0]))[1]
    return NO_SCAN_MODALITIES.get(modality, "")
