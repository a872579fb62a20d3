"""The front door is light: what is not used is not loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    *(
        "torch",
        "monai",
        "itk",
        "SimpleITK",
        "scipy",
        "skimage",
        "pydicom",
        "pynetdicom",
        "urllib3",
        "nibabel",
        "highdicom",
        "imagecodecs",
    ),
    *("PIL", "jinja2", "matplotlib", "pandas", "sklearn", "tqdm"),
)
REPORT = f"print('LOADED', *sorted(set({HEAVY!r} + ('numpy',)) & set(sys.modules)))"


def loaded_by(code: str) -> set[str]:
    """Run `code` in a new Python and return which heavy libraries it loaded."""
    done = subprocess.run([sys.executable, "-c", f"import sys\n{code}\n{REPORT}"], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "code",
    [
        "import medimg",
        "import medimg; dir(medimg); medimg.__version__",
        "from medimg.cli import main; main(['--help'])",
        "from medimg.cli import main; main([])",
        "from medimg.cli import main; main(['infr'])",
    ],
)
def test_nothing_heavy_is_loaded_for_a_look_at_the_door(code):
    assert loaded_by(code) == set()


@pytest.mark.parametrize("command", ["fetch", "infer", "inspect", "models", "outbox", "overlay", "pacs", "send"])
def test_the_help_of_a_command_loads_nothing_heavy(command):
    assert loaded_by(f"from medimg.cli import main; main(['{command}', '--help'])") == set()


def test_values_load_numpy_and_nothing_more():
    assert loaded_by("from medimg.values import *") == {"numpy"}


def test_a_model_is_listed_without_the_libraries_that_run_it():
    assert loaded_by("from medimg.cli import main; main(['models'])") <= {"numpy"}
