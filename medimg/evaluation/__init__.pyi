from .calibration import calibration as calibration
from .classification import classification as classification
from .detection import detection as detection
from .intervals import bootstrap as bootstrap
from .outlines import Outline as Outline
from .outlines import compare_outlines as compare_outlines
from .readers import auroc_if_perfect as auroc_if_perfect
