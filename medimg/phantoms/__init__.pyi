from ._ball import ball as ball
from ._chest import chest as chest
from ._dicom import write_chest as write_chest
