"""Stand in for `medimg.infer`: results with real objects, without the minutes of a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medimg.reports import write_all
from medimg.values import RunResult
from tests.builders.study import study_result


class Infer:
    """Notes what it was called with, and writes the objects of one study."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls, self.seen = folder, [], []
        self.error = ""

    def __call__(self, *paths, output=None, progress=None, **options):
        self.calls.append((paths, output, options))
        self.seen += [len([file for file in Path(path).rglob("*") if file.is_file()]) for path in paths]
        result = replace(study_result(self.folder / "source"), error=self.error, exit_code=4 if self.error else 0)
        if output is not None and not self.error:
            folder = Path(output) / result.name
            folder.mkdir(parents=True)
            result = replace(result, folder=folder, files=write_all(result, folder))
        return RunResult(studies=(replace(result, volume=None, heatmaps=()),), seconds={"total": 1.0})
