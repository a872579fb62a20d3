from ._front import explain as explain
from ._front import methods as methods
