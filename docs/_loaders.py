"""What other loaders make of a folder of DICOM: each returns volumes on a medimg Grid, or raises."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from medimg.values import Grid, Volume

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def simpleitk(folder: Path) -> list[Volume]:
    """ImageSeriesReader over GDCM's series ids, as its documentation shows."""
    import SimpleITK as sitk

    volumes = []
    for series in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series))
        image = reader.Execute()
        side = min(image.GetDimension(), 3)
        affine = np.eye(4)
        direction = np.array(image.GetDirection()).reshape(image.GetDimension(), -1)
        affine[:side, :side] = (direction * np.array(image.GetSpacing()))[:side, :side]
        affine[:side, 3] = image.GetOrigin()[:side]
        volumes.append(_volume(sitk.GetArrayFromImage(image).T, affine))
    return volumes


def monai_itk(folder: Path) -> list[Volume]:
    """LoadImage with its default reader for DICOM."""
    return _monai(folder, "ITKReader")


def monai_pydicom(folder: Path) -> list[Volume]:
    """LoadImage with its pydicom reader."""
    return _monai(folder, "PydicomReader")


def dcm2niix(folder: Path) -> list[Volume]:
    """The program with its default options."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(["dcm2niix", "-b", "n", "-z", "n", "-f", "%s_%p", "-o", out, str(folder)], capture_output=True)
        volumes = _niftis(Path(out))
        if done.returncode and not volumes:
            raise RuntimeError("no file")
        return volumes


def dicom2nifti(folder: Path) -> list[Volume]:
    """dicom_series_to_nifti."""
    from dicom2nifti.convert_dicom import dicom_series_to_nifti

    with tempfile.TemporaryDirectory() as out:
        dicom_series_to_nifti(str(folder), f"{out}/out.nii", reorient_nifti=False)
        return _niftis(Path(out))


def highdicom(folder: Path) -> list[Volume]:
    """get_volume_from_series, and imread for multi-frame files."""
    import highdicom as hd
    import pydicom

    files = sorted(folder.iterdir())
    images = [pydicom.dcmread(file) for file in files]
    if "NumberOfFrames" in images[0]:
        volume = hd.imread(str(files[0])).get_volume()
    else:
        volume = hd.get_volume_from_series(images)
    return [Volume(array=_plain(volume.array), grid=Grid(shape=volume.array.shape[:3], affine=volume.affine))]


LOADERS = {
    "SimpleITK": simpleitk,
    "MONAI (ITK)": monai_itk,
    "MONAI (pydicom)": monai_pydicom,
    "dcm2niix": dcm2niix,
    "dicom2nifti": dicom2nifti,
    "highdicom": highdicom,
}


def _monai(folder: Path, reader: str) -> list[Volume]:
    from monai.transforms import LoadImage

    image = LoadImage(reader=reader, image_only=True)(str(folder))
    return [_volume(np.array(image, float), LPS_FROM_RAS @ np.array(image.affine, float))]


def _niftis(folder: Path) -> list[Volume]:
    import nibabel

    volumes = []
    for path in sorted(folder.glob("*.nii")):
        image = nibabel.load(path)
        array, affine = np.asanyarray(image.dataobj, dtype=float), LPS_FROM_RAS @ image.affine
        volumes += (
            [_volume(array[..., k], affine) for k in range(array.shape[3])] if array.ndim == 4 else [_volume(array, affine)]
        )
    return volumes


def _volume(array: np.ndarray, affine: np.ndarray) -> Volume:
    """Turn columns-first arrays and affines into medimg's slices-first ones."""
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim == 2:
        array = array[..., None]
    turned = affine[:4, :4].copy()
    turned[:, :3] = affine[:4, [2, 1, 0]]
    return Volume(array=_plain(array.transpose(2, 1, 0)), grid=Grid(shape=array.shape[::-1], affine=turned))


def _plain(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.float32)
