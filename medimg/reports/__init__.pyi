from ._front import not_written as not_written
from ._front import write_all as write_all
