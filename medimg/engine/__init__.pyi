from .devices import choose_device as choose_device
from .model import Model as Model
from .model import load_model as load_model
