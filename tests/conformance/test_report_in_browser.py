"""A browser that may reach nothing shows the report: its pictures, its outlines, its heatmaps, on paper too."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from medimg.reports import html as report
from tests.builders.study import study_result

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
NO_NETWORK = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--proxy-server=127.0.0.1:9",  # nothing listens there: a page that wants more than itself does not get it
)


def browse(page, profile, *words):
    subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            *NO_NETWORK,
            f"--user-data-dir={profile}",
            *words,
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (path,) = report.write(study_result(tmp_path_factory.mktemp("source")), folder)
    return path


def test_it_shows_slices_outlines_and_heat(page, tmp_path):
    from PIL import Image

    shot = tmp_path / "shot.png"
    browse(page, tmp_path / "profile", "--hide-scrollbars", "--window-size=1200,1800", f"--screenshot={shot}")
    red, green, blue = np.moveaxis(np.asarray(Image.open(shot).convert("RGB")).astype(int), -1, 0)
    grey = (abs(red - green) < 4) & (abs(green - blue) < 4)
    dark = grey & (red < 128) & (red > 8)
    assert dark.mean() > 0.02, "slices are grey pictures"
    outline = (red > 230) & (abs(green - 200) < 20) & (blue < 60)
    assert outline.sum() > 100, "outlines are yellow"
    heat = (red > 150) & (green < 140) & (blue < 140) & (red - green > 60)
    assert heat.sum() > 100, "evidence is warm"


def test_it_prints(page, tmp_path):
    sheet = tmp_path / "report.pdf"
    browse(page, tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={sheet}")
    content = sheet.read_bytes()
    assert content.startswith(b"%PDF-")
    assert 1 <= content.count(b"/Type /Page\n") + content.count(b"/Type /Page/") + content.count(b"/Type /Page ") <= 6
