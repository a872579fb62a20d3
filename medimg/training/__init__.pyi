from .chests import Chest as Chest
from .chests import Mark as Mark
from .chests import read_chests as read_chests
from .cubes import Cubes as Cubes
from .cubes import read_cubes as read_cubes
from .evaluate import Evaluation as Evaluation
from .evaluate import evaluate as evaluate
from .report import write_evaluation as write_evaluation
