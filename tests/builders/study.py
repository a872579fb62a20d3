"""Make a study with findings whose place, size and density are known, as DICOM on disk and as a StudyResult."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.measures import center_mm, measure
from medimg.values import (
    Code,
    Finding,
    Grid,
    Heatmap,
    Mask,
    Prediction,
    Provenance,
    Score,
    Series,
    SourceSlice,
    StudyResult,
    Volume,
)

if TYPE_CHECKING:
    from pathlib import Path

FRAME = "1.2.826.0.1.3680043.8.498.1"
STUDY_UID = "1.2.826.0.1.3680043.8.498.2"
SERIES_UID = "1.2.826.0.1.3680043.8.498.3"
CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
NODULE = Code("SCT", "27925004", "Nodule")
LUNG = Code("SCT", "39607008", "Lung")
LEFT = Code("SCT", "7771000", "Left")
AXIAL = ((0, 0, 1), (0, 1, 0), (1, 0, 0))  # LPS directions of slices, rows, columns
MEANING = "What radiologists would rate on a scale of 1 to 5, mapped to 0..1. It is not a probability of cancer."


def grid_of(shape=(16, 40, 48), spacing_mm=(2.5, 0.8, 0.7), directions=AXIAL, tilt_deg=0.0, center=(30.0, -20.0, -150.0)) -> Grid:
    """Return a grid whose middle lies at `center`; `tilt_deg` shifts each slice along its rows, as a tilted gantry does."""
    steps = np.array(directions, dtype=float).T
    steps[:, 0] += steps[:, 1] * np.tan(np.deg2rad(tilt_deg))
    affine = np.eye(4)
    affine[:3, :3] = steps * spacing_mm
    affine[:3, 3] = np.array(center) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine, frame_of_reference=FRAME)


def balls(grid: Grid, places_mm: list[tuple[tuple[float, float, float], float]]) -> Mask:
    """Return balls (centre, radius) as labels 1, 2 ..."""
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for label, (center, radius) in enumerate(places_mm, 1):
        labels[((points - center) ** 2).sum(axis=-1) <= radius**2] = label
    return Mask(array=labels, grid=grid, labels=dict.fromkeys(range(1, len(places_mm) + 1), NODULE))


def two_nodules(grid: Grid) -> Mask:
    """Return a large and a small ball, off centre in every direction."""
    x, y, z = grid.to_mm((np.array(grid.shape) - 1) / 2)
    return balls(grid, [((x + 6, y + 4, z - 5), 5.0), ((x - 8, y - 6, z + 7), 3.0)])


def picture(mask: Mask, *, seed: int = 0) -> Volume:
    """Return lung with the labels in it: -850 HU and noise, label n at 40 - 100 (n - 1) HU."""
    noise = np.random.default_rng(seed).normal(-850, 20, mask.shape)
    for label in np.unique(mask.array[mask.array > 0]):
        noise[mask.array == label] = 40 - 100 * (int(label) - 1)
    return Volume(array=noise.round().astype(np.int16), grid=mask.grid, modality="CT", unit="HU")


def write_ct(
    folder: Path, volume: Volume, *, leave_out: tuple[str, ...] = (), reverse: bool = False, **changes: object
) -> list[Path]:
    """Write single-frame CT instances, one a slice, in grid order; names are shuffled so that nothing can be read from them."""
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(1).permutation(volume.shape[0])
    paths = []
    for index, plane in enumerate(volume.array):
        dataset = _patient(CT, f"{SERIES_UID}.{index + 1}", leave_out, changes)
        _pixels(dataset, plane)
        dataset.InstanceNumber = int(volume.shape[0] - index if reverse else index + 1)
        dataset.ImagePositionPatient = [_ds(value) for value in volume.grid.to_mm((index, 0, 0))]
        dataset.ImageOrientationPatient = _orientation(volume.grid)
        dataset.PixelSpacing, dataset.SliceThickness = (
            [_ds(step) for step in volume.grid.spacing_mm[1:]],
            _ds(_plane_distance(volume.grid)),
        )
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "HU"
        paths.append(folder / f"IM{order[index]:04d}")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def write_enhanced_ct(folder: Path, volume: Volume, *, own_orientation: bool = False) -> tuple[Path, list[int]]:
    """Write one enhanced multi-frame instance with its frames shuffled; return it and the frame of each slice."""
    from pydicom.dataset import Dataset

    folder.mkdir(parents=True, exist_ok=True)
    dataset = _patient(ENHANCED_CT, f"{SERIES_UID}.99", (), {})
    order = np.random.default_rng(2).permutation(volume.shape[0])
    _pixels(dataset, volume.array[np.argsort(order)])
    dataset.NumberOfFrames = volume.shape[0]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.PresentationLUTShape, dataset.BurnedInAnnotation, dataset.LossyImageCompression = "IDENTITY", "NO", "00"

    def group(**values):
        item = Dataset()
        item.update(values)
        return [item]

    shared = Dataset()
    orientation = group(ImageOrientationPatient=_orientation(volume.grid))
    spacing = [_ds(step) for step in volume.grid.spacing_mm[1:]]
    shared.PixelMeasuresSequence = group(PixelSpacing=spacing, SliceThickness=_ds(_plane_distance(volume.grid)))
    if not own_orientation:
        shared.PlaneOrientationSequence = orientation
    shared.PixelValueTransformationSequence = group(RescaleIntercept=0, RescaleSlope=1, RescaleType="HU")
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames = [None] * volume.shape[0]
    for index, frame in enumerate(order):
        item = Dataset()
        item.PlanePositionSequence = group(ImagePositionPatient=[_ds(value) for value in volume.grid.to_mm((index, 0, 0))])
        if own_orientation:
            item.PlaneOrientationSequence = orientation
        item.FrameContentSequence = group(StackID="1", InStackPositionNumber=index + 1)
        frames[frame] = item
    dataset.PerFrameFunctionalGroupsSequence = frames
    path = folder / "enhanced.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path, [int(frame) for frame in order]


def dicom_series(
    folder: Path, volume: Volume, *, enhanced: bool = False, gaps: tuple[int, ...] = (), **options: object
) -> Series:
    """Write a volume as DICOM and return the Series that a reader would make of it; slices in `gaps` are not written."""
    if enhanced:
        path, frames = write_enhanced_ct(folder, volume, **options)
        places = [(path, frame, f"{SERIES_UID}.99", ENHANCED_CT) for frame in frames]
    else:
        paths = write_ct(folder, volume, **options)
        places = [(path, 0, f"{SERIES_UID}.{index + 1}", CT) for index, path in enumerate(paths)]
    for index in gaps:
        places[index][0].unlink()
    measured = [index for index in range(volume.shape[0]) if index not in gaps]
    slices = tuple(
        SourceSlice(
            file=places[index][0],
            frame=places[index][1],
            position_mm=tuple(volume.grid.to_mm((index, 0, 0)).tolist()),
            instance_uid=places[index][2],
            class_uid=places[index][3],
        )
        for index in measured
    )
    return Series(
        reader="dicom",
        files=tuple(dict.fromkeys(source.file for source in slices)),
        name="series-0123456789ab",
        grid=volume.grid,
        slices=slices,
        slice_of=tuple(measured.index(index) if index in measured else None for index in range(volume.shape[0])),
        modality="CT",
        kernel="B30f",
        thickness_mm=volume.grid.spacing_mm[0],
        manufacturer="ACME",
        study_uid=STUDY_UID,
        series_uid=SERIES_UID,
    )


def study_result(
    folder: Path, *, grid: Grid | None = None, mask: Mask | None = None, dicom: bool = True, heat: bool = True, **options: object
) -> StudyResult:
    """Return the result of a study with two nodules (or the labels of `mask`), its source written to `folder`."""
    mask = mask or two_nodules(grid or grid_of())
    volume = picture(mask)
    if dicom:
        series = dicom_series(folder, volume, **options)
    else:
        series = Series(
            reader="nifti", files=(folder / "scan.nii.gz",), name="series-ba9876543210", grid=volume.grid, modality="CT"
        )
    labels = [int(label) for label in np.unique(mask.array) if label]
    findings = tuple(
        Finding(
            id=label,
            center_mm=center_mm(mask, label=label),
            measures=measure(volume, mask, label=label),
            kind=NODULE,
            site=LUNG,
            laterality=LEFT,
            detection_probability=0.9 / label,
            scores=(Score(name="suspicion", value=0.8 / label, meaning=MEANING, calibrated=True),),
            tracking_uid=f"2.25.{1000 + label}",
        )
        for label in labels
    )
    return StudyResult(
        name="study-0123456789ab",
        series=series,
        provenance=Provenance(
            model="lung-nodule",
            model_version="1.0.0",
            model_summary="Finds, outlines and rates nodules in chest CT.",
            model_licence="CC-BY-4.0",
            weights_sha256={"detect.safetensors": "ab" * 32},
            medimg_version="0.1.0",
            versions={"torch": "2.13.0"},
            parameters={"detect_threshold": 0.5, "explain": "gradcam"},
            research_only="For research only; not a medical device.",
        ),
        prediction=Prediction(findings=findings, mask=mask, looked_for=NODULE, looked_in=LUNG),
        volume=volume,
        heatmaps=tuple(heat_of(mask, finding) for finding in findings) if heat else (),
        seconds={"read": 0.1},
    )


def heat_of(mask: Mask, finding: Finding, *, side: int = 24, spacing_mm: float = 1.0, width_mm: float = 4.0) -> Heatmap:
    """Return a map that is 1 at the centre of a finding and falls off, on a cube of its own (axial, straight)."""
    origin = np.array(finding.center_mm) - spacing_mm * (side - 1) / 2
    grid = Grid.straight(
        (side,) * 3, spacing_mm=(spacing_mm,) * 3, origin_mm=origin, frame_of_reference=mask.grid.frame_of_reference
    )
    far = ((grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1)) - finding.center_mm) ** 2).sum(axis=-1)
    array = np.exp(-far / (2 * width_mm**2)).astype(np.float32)
    return Heatmap(array=array / array.max(), grid=grid, finding_id=finding.id, target="suspicion", method="gradcam")


def _plane_distance(grid: Grid) -> float:
    normal = np.cross(grid.affine[:3, 1], grid.affine[:3, 2])
    return float(abs(grid.affine[:3, 0] @ normal) / np.linalg.norm(normal))


def _orientation(grid: Grid) -> list[str]:
    return [_ds(value) for value in (*grid.directions[:, 2], *grid.directions[:, 1])]


def _ds(value: float) -> str:
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(value))


def _pixels(dataset, array) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = array.shape[-2:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.PixelData = array.astype("<i2").tobytes()


def _patient(sop_class: str, uid: str, leave_out: tuple[str, ...], changes: dict[str, object]):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ExplicitVRLittleEndian, sop_class, uid
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SpecificCharacterSet": "ISO_IR 192",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SOPClassUID": sop_class,
        "SOPInstanceUID": uid,
        "StudyInstanceUID": STUDY_UID,
        "SeriesInstanceUID": SERIES_UID,
        "FrameOfReferenceUID": FRAME,
        "PositionReferenceIndicator": "",
        "StudyDate": "20240102",
        "StudyTime": "101112",
        "SeriesDate": "20240102",
        "SeriesTime": "101500",
        "AcquisitionDate": "20240102",
        "AcquisitionTime": "101501",
        "ContentDate": "20240102",
        "ContentTime": "101502",
        "AccessionNumber": "ACC4711",
        "Modality": "CT",
        "Manufacturer": "ACME",
        "ReferringPhysicianName": "",
        "StudyDescription": "Thorax",
        "PatientName": "Mustermann^Jörg",
        "PatientID": "PID4711",
        "PatientBirthDate": "19500101",
        "PatientSex": "M",
        "BodyPartExamined": "CHEST",
        "KVP": 120,
        "PatientPosition": "HFS",
        "StudyID": "1",
        "SeriesNumber": 3,
        "AcquisitionNumber": 1,
    }
    for keyword, value in (values | changes).items():
        if keyword not in leave_out and value is not None:
            setattr(dataset, keyword, value)
    return dataset
