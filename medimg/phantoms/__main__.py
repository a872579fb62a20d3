"""Write the chest phantom as DICOM: `python -m medimg.phantoms [--output example_dicoms] [--seed 1]`."""

from __future__ import annotations

import argparse
import sys

from medimg.errors import MedimgError
from medimg.phantoms import write_chest


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m medimg.phantoms", description="Write a chest CT phantom as DICOM.")
    parser.add_argument("--output", default="example_dicoms", help="folder to write; a phantom that lies there is replaced")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives another phantom")
    options = parser.parse_args(arguments)
    try:
        written = write_chest(options.output, seed=options.seed)
    except MedimgError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    size = sum(path.stat().st_size for path in written)
    sys.stdout.write(f"{len(written)} files, {size / 1e6:.2f} MB, in {options.output}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
