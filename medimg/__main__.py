"""Let `python -m medimg` be the same as `medimg`."""

from medimg.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
