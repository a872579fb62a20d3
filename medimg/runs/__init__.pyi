from .convert import Conversion as Conversion
from .convert import convert as convert
from .infer import infer as infer
from .inspect import Inspection as Inspection
from .inspect import inspect as inspect
from .overlay import overlay as overlay
