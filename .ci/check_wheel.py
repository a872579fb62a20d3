"""Build the wheel and say whether everything that git tracks below medimg/ is in it: weights, cards, templates, stubs.

Usage: python .ci/check_wheel.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

MUST_HAVE = (
    ".safetensors",
    "model.toml",
    ".pyi",
    "py.typed",
    "patients.csv",
)  # a wheel without one of these does not work or says too little


def main() -> int:
    """Return 0 if the wheel is whole."""
    listed = subprocess.run(["git", "ls-files", "-z", "medimg"], capture_output=True, check=True).stdout.decode()
    tracked = {name for name in listed.split("\0") if name and Path(name).is_file()}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", folder, "."], check=True, stdout=subprocess.DEVNULL)
        (wheel,) = Path(folder).glob("*.whl")
        held = set(ZipFile(wheel).namelist())
        size = wheel.stat().st_size / 1e6
    lacking = sorted(tracked - held) + [f"any *{end}" for end in MUST_HAVE if not any(name.endswith(end) for name in held)]
    strangers = sorted(name for name in held if not name.startswith(("medimg/", "medimg-")))
    for name in lacking:
        print(f"check_wheel: the wheel lacks {name}")
    for name in strangers:
        print(f"check_wheel: the wheel holds {name}, which is not medimg's")
    print(f"check_wheel: {len(held)} files, {size:.1f} MB")
    return 1 if lacking or strangers else 0


if __name__ == "__main__":
    sys.exit(main())
