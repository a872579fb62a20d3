"""Make docs/images/result.png: the top of a report, as a browser shows it. Needs Chromium.

Usage: python docs/make_picture.py [REPORT.html]    without a report, medimg makes that of example_dicoms/ first
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "result.png"
WIDTH, HEIGHT = 1200, 1150  # pixels: the heading, the table and the first findings
COLOURS = 256  # a report is grey slices and a few colours: a palette is a third of the size
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> int:
    """Make the picture."""
    from PIL import Image

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.stderr.write(f"make_picture needs one of {', '.join(BROWSERS)}. Install Chromium.\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        report = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else make_report(Path(folder))
        shot = Path(folder) / "shot.png"
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"]
        subprocess.run([browser, *words, f"--screenshot={shot}", report.as_uri()], check=True, capture_output=True, timeout=120)
        picture = Image.open(io.BytesIO(shot.read_bytes())).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    PICTURE.parent.mkdir(exist_ok=True)
    picture.save(PICTURE, optimize=True)
    return 0


def make_report(folder: Path) -> Path:
    """Run medimg on the phantom and return its report."""
    import medimg

    result = medimg.infer(ROOT / "example_dicoms", output=folder)
    return next(path for path in result.studies[0].files if path.name == "report.html")


if __name__ == "__main__":
    sys.exit(main())
