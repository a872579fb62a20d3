"""Every way out of `medimg`: one sentence, its exit code, and nothing about a patient."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import time
import warnings

import pytest

import medimg
from medimg import errors
from medimg.cli import main
from tests.builders.interrupts import hears_ctrl_c

PATIENT = "Doe^Jane"


@pytest.fixture
def infer_does(monkeypatch):
    """Let `medimg infer` do what a function does instead of running a model."""

    def put(function):
        monkeypatch.setattr("medimg.runs.infer", function)

    return put


def raiser(error: BaseException):
    def fail(*paths, **options):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.OptionError("device", "tpu", "cpu"), 2),
        (errors.ScanError("scan holds no files. Give a folder with a DICOM series."), 3),
        (errors.UnsuitableScanError("It is MR. Give a CT."), 4),
        (errors.ModelError("The weights are damaged. Install medimg again."), 5),
        (errors.WriteError("The disk is full. Free some space."), 6),
        (errors.GeometryError("Axes are sheared. Resample first."), 7),
        (errors.MissingExtraError("itk", extra="itk"), 8),
    ],
)
def test_an_error_is_one_line_on_stderr_and_its_code(infer_does, capsys, error, code):
    infer_does(raiser(error))
    assert main(["infer", "scan"]) == code == error.exit_code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"medimg: {error}\n"


def test_an_unexpected_error_names_its_place_and_not_its_text(infer_does, capsys):
    infer_does(raiser(KeyError(PATIENT)))
    assert main(["infer", "scan"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "KeyError at medimg.cli.infer:" in err
    assert "--debug" in err
    assert PATIENT not in err


@pytest.mark.parametrize("words", [["--debug", "infer", "scan"], ["infer", "scan", "--debug"]])
@pytest.mark.parametrize("error", [KeyError("what"), errors.ScanError("what")])
def test_debug_shows_the_traceback(infer_does, capsys, words, error):
    infer_does(raiser(error))
    main(words)
    assert "Traceback" in capsys.readouterr().err


def test_what_libraries_say_of_a_file_is_not_shown(infer_does, capfd, caplog):
    def talk(*paths, **options):
        warnings.warn(f"Invalid value {PATIENT} for VR PN", UserWarning, stacklevel=1)
        logging.getLogger("pydicom").warning("Invalid value %s", PATIENT)
        raise errors.ScanError("It cannot be read. Give another.")

    infer_does(talk)
    assert main(["infer", "scan"]) == 3
    assert PATIENT not in "".join(capfd.readouterr()) + caplog.text
    logging.getLogger("a-test").warning("logging works again afterwards")
    assert "works again" in caplog.text


def test_ctrl_c_and_memory(infer_does, capsys):
    infer_does(raiser(KeyboardInterrupt()))
    assert main(["infer", "scan"]) == errors.INTERRUPTED == 130
    infer_does(raiser(MemoryError()))
    assert main(["infer", "scan"]) == 1
    assert "memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["infr", "scan"], "Give infer (the nearest)"),
        (["infer", "scan", "--modle", "x"], "Give --model (the nearest)"),
        (["infer", "scan", "--outptu=x"], "Give --output (the nearest)"),
        (["--verson"], "Give --version (the nearest)"),
        (["models", "lst"], "Give list (the nearest)"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(capsys, words, nearest):
    assert main(words) == 2
    assert nearest in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["infer"], "required: SCAN. See: medimg infer --help."),
        (["infer", "scan", "--model"], "--model: expected one argument. See: medimg infer --help."),
        (["models", "list", "lung-nodule", "more"], "'more' is one word too many"),
        (["--debug"], "a command is missing"),
    ],
)
def test_what_is_no_command_line_is_answered_with_the_help_to_look_at(capsys, words, said):
    assert main(words) == 2
    assert said.lower() in capsys.readouterr().err.lower()


def test_an_option_is_never_guessed_from_its_beginning(capsys):
    assert main(["infer", "scan", "--out", "x"]) == 2
    assert "--output" in capsys.readouterr().err


def test_version_and_help(capsys):
    assert main(["--version"]) == main(["infer", "--version"]) == 0
    assert capsys.readouterr().out == f"medimg {medimg.__version__}\n" * 2
    assert main([]) == main(["--help"]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^  (infer|inspect|models) ", out, re.MULTILINE) == ["infer", "inspect", "models"] * 2
    assert "not a medical device" in out


def test_a_reader_that_leaves_early_is_no_error(root):
    command = f"{sys.executable} -m medimg infer --help"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.strip() in ("141", "0")  # 0 where all was written before the reader left


SLOW = """
import sys, time
import medimg.runs
from medimg._tools.files import whole_folder
from medimg.cli import main
from tests.builders.interrupts import hears_ctrl_c
def infer(*paths, output, **options):
    with whole_folder(output / "study") as partial:
        (partial / "half").write_text("half")
        print("writing", flush=True)
        time.sleep(60)
medimg.runs.infer = infer
sys.exit(main(["infer", "scan", "--output", sys.argv[1]]))
"""


@pytest.mark.parametrize(("kill", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_end_from_outside_leaves_nothing_half_written(root, tmp_path, kill, code):
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
        preexec_fn=hears_ctrl_c,
    ) as process:
        assert process.stdout.readline() == b"writing\n"
        time.sleep(0.1)
        process.send_signal(kill)
        _, err = process.communicate(timeout=120)
    assert process.returncode == code
    assert b"nothing half-written is left" in err
    assert list(tmp_path.iterdir()) == []
