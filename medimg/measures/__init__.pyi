from .descriptors import descriptors as descriptors
from .diameters import Diameters as Diameters
from .diameters import diameters as diameters
from .measure import center_mm as center_mm
from .measure import measure as measure
