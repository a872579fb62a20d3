__version__: str

from . import bridges as bridges
from . import errors as errors
from . import measures as measures
from . import models as models
from . import preprocessing as preprocessing
from . import readers as readers
from . import reports as reports
from . import runs as runs
from . import saliency as saliency
from . import values as values
from . import writers as writers
from .engine import load_model as load_model
from .preprocessing import body as body
from .preprocessing import clip as clip
from .preprocessing import crop as crop
from .preprocessing import denoise as denoise
from .preprocessing import gaussian as gaussian
from .preprocessing import lungs as lungs
from .preprocessing import orient as orient
from .preprocessing import resample as resample
from .preprocessing import window as window
from .readers import read as read
from .readers import read_all as read_all
from .runs import convert as convert
from .runs import infer as infer
from .runs import inspect as inspect
