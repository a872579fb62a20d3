"""Reading `.nii.gz` against SimpleITK and writing it against nibabel, in one run."""

from __future__ import annotations

import numpy as np
from _rounds import compare
from _scans import SCRATCH, SPACING_MM, ct, labels

REACH = {("read", "CT"): 0.7, ("read", "labels"): 0.4, ("write", "CT"): 0.2, ("write", "labels"): 0.14}


def main() -> None:
    """Print the four ratios, and the sizes of the files."""
    import nibabel
    import SimpleITK as sitk

    import medimg
    from medimg.values import Grid, Mask, Volume

    SCRATCH.mkdir(parents=True, exist_ok=True)
    for name, array in (("CT", ct()), ("labels", labels())):
        grid = Grid.straight(array.shape, spacing_mm=SPACING_MM)
        image = Volume(array=array, grid=grid) if name == "CT" else Mask(array=array, grid=grid)
        theirs, ours = SCRATCH / f"{name}-nibabel.nii.gz", SCRATCH / f"{name}-medimg.nii.gz"

        def by_nibabel(array: np.ndarray = array, path: object = theirs) -> None:
            nibabel.save(nibabel.Nifti1Image(array.transpose(2, 1, 0), np.diag([*SPACING_MM[::-1], 1])), path)

        def by_medimg(image: Volume | Mask = image, path: object = ours) -> None:
            medimg.writers.write_nifti(image, path)

        cases = {"medimg write_nifti": by_medimg, "nibabel.save": by_nibabel}
        compare(f"Write {name}", "medimg write_nifti", cases, reach=REACH["write", name])
        sizes = ours.stat().st_size / 2**20, theirs.stat().st_size / 2**20
        print(f"  size: {sizes[0]:.2f} MiB, nibabel's {sizes[1]:.2f} MiB")
        for path in (ours, theirs):
            assert np.array_equal(medimg.read(path).array, array)
            assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), array)
        cases = {
            "medimg.read": lambda path=theirs: medimg.read(path),
            "SimpleITK.ReadImage": lambda path=theirs: sitk.ReadImage(str(path)),
        }
        compare(f"Read {name}", "medimg.read", cases, reach=REACH["read", name])


if __name__ == "__main__":
    main()
