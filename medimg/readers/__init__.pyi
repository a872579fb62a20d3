from ._front import load_series as load_series
from ._front import nothing_there as nothing_there
from ._front import read as read
from ._front import read_all as read_all
from ._front import read_series as read_series
from ._front import refusal as refusal
from ._front import scan as scan
from ._walk import find_files as find_files
