from .nifti import write_nifti as write_nifti
from .nrrd import write_nrrd as write_nrrd
