"""The README keeps its promise: a sentence, a picture, what must be there, and two lines."""

from __future__ import annotations

import re
import runpy


def test_the_readme_opens_as_agreed(root):
    text = (root / "README.md").read_text()
    opening, _, _ = text.partition("```sh\n")
    title, sentence, picture, needed = [part for part in opening.split("\n\n") if part.strip()]
    assert title == "# medimg"
    assert sentence.startswith("medimg ")
    assert sentence.rstrip().endswith(".")
    assert "Python 3.11" in needed
    assert "apt install python3-venv" in needed
    path = re.fullmatch(r"!\[[^\]]+\]\(([^)]+\.png)\)", picture.strip())
    assert path
    assert (root / path[1]).is_file(), "the picture is missing: make it with docs/make_picture.py"


def test_the_shell_block_is_two_lines_that_install_run_and_test(root):
    lines_of = runpy.run_path(str(root / ".ci" / "readme_lines.py"))["lines_of"]
    first, second = lines_of((root / "README.md").read_text())
    assert "medimg infer example_dicoms/ --output results/" in first
    assert second.endswith("-m pytest")
    assert all("constraints.txt" in line for line in (first, second))


def test_torch_is_pinned(root):
    assert "torch==2.13.0" in (root / "constraints.txt").read_text().splitlines()


def test_every_link_of_the_documentation_leads_somewhere(root):
    pages = [root / "README.md", *(root / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)", page.read_text())]
    broken = [f"{page.name}: {link}" for page, link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken
