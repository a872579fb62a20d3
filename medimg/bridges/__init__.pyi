from .itk import from_itk as from_itk
from .itk import to_itk as to_itk
from .nibabel import from_nibabel as from_nibabel
from .nibabel import to_nibabel as to_nibabel
from .simpleitk import from_sitk as from_sitk
from .simpleitk import to_sitk as to_sitk
from .torch import to_torch as to_torch
