"""The geometries that a SEG must come back from: those whose conformance is tested."""

from __future__ import annotations

import numpy as np

from tests.builders.sources import CASES

GEOMETRIES = {name: options for name, options in CASES.items() if name != "poor source"}  # which lies as the first one does


def made_by_hand(folder, result, pixels, *, kind="BINARY", segments=(1, 2)):
    """Write a SEG of these pixels on the slices of a result with highdicom; segment n is called "Nodule n"."""
    import highdicom as hd
    import pydicom

    described = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Nodule {number}",
            segmented_property_category=hd.sr.CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure"),
            segmented_property_type=hd.sr.CodedConcept("27925004", "SCT", "Nodule"),
            algorithm_type="MANUAL",
        )
        for number in segments
    ]
    made = hd.seg.Segmentation(
        source_images=[pydicom.dcmread(source.file) for source in result.series.slices],
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid="1.2.3",
        series_number=1,
        sop_instance_uid="1.2.3.4",
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="1",
        device_serial_number="1",
    )
    made.save_as(folder / "by_hand.dcm")
    return folder / "by_hand.dcm"


def expected(result):
    """Return the labels that come back: those of measured slices, and on the others those of the slice that they repeat."""
    from medimg.readers._dicom_places import nearest_slices

    series, array = result.series, result.prediction.mask.array.copy()
    nearest = nearest_slices(series.grid, np.array([source.position_mm for source in series.slices]))
    for place, origin in enumerate(series.slice_of):
        if origin is None:
            array[place] = array[series.slice_of.index(nearest[place])]
    return array
