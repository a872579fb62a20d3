"""Write an RTSTRUCT in a line."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset

from tests.builders.study import FRAME, STUDY_UID

RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"


def structures(path, rois, *, grid=None, **attributes):
    """Write an RTSTRUCT; `rois` maps a name to contours, each (slice, (row, column) ...) on `grid`, or LPS points."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = RTSTRUCT, "1.2.3.4", "RTSTRUCT"
    dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "PID4711", STUDY_UID, "1.2.3.5"
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(rois.items(), 7):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID, roi.ROIGenerationAlgorithm = number, name, FRAME, "MANUAL"
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for contour in contours:
            item = Dataset()
            points = np.asarray(contour) if grid is None else grid.to_mm([(contour[0], *pixel) for pixel in contour[1:]])
            if len(points) > 1500:  # longer than 64 kB: an explicit VR of DS cannot hold it
                dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
            item.ContourGeometricType, item.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
            item.ContourData = [f"{value:.4f}" for value in points.ravel()]
            drawn.ContourSequence.append(item)
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(drawn)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path
