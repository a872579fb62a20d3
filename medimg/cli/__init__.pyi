from ._main import main as main
from ._parser import parser_of as parser_of
