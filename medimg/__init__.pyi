from . import errors as errors
from . import values as values
