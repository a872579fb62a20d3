"""A real PACS for a test: Orthanc with its DICOMweb plugin, as it is installed or knowing us, on free ports of this machine."""

from __future__ import annotations

import atexit
import json
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from medimg.nodes import DimseNode, WebNode

START_S = 60  # a busy machine takes its time
STARTS = 3  # the port that was free may be somebody else's a moment later
PORTS = range(20_000, 32_000)  # below those that systems give to whoever connects (Linux: from 32768 on)
PLUGINS = ("/usr/share/orthanc/plugins/libOrthancDicomWeb.so", "/usr/lib/orthanc/libOrthancDicomWeb.so")
OURS = "MEDIMG"
TITLE = "ORTHANC"


def free_port() -> int:
    """Return a port that is free at this moment, for a program that takes the number of one."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as listener:
            try:
                listener.bind(("", port))
            except OSError:
                continue
            return port
    raise RuntimeError("there is no free port")


def closed_port() -> int:
    """Return a port that nothing listens at, and that nobody else gets while the tests run."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))  # and never listened at: whoever connects is refused
    atexit.register(holder.close)
    return holder.getsockname()[1]


def need(program: str) -> str:
    """Return the path of a program of the system, or skip the test; PATH may hold pynetdicom's programs of the same names."""
    places = [Path(folder) / program for folder in ("/usr/bin", "/usr/sbin", "/usr/local/bin")]
    found = next((str(path) for path in places if path.is_file()), None) or (
        shutil.which(program) if program == "Orthanc" else None
    )
    if found is None:
        pytest.skip(f"{program} is not installed (apt install orthanc orthanc-dicomweb dcmtk openssl)")
    return found


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    dicom_port: int
    http_port: int
    process: subprocess.Popen

    @property
    def dimse(self) -> DimseNode:
        return DimseNode(name="orthanc", host="127.0.0.1", port=self.dicom_port, ae_title=TITLE, own_ae_title=OURS, timeout_s=30)

    @property
    def web(self) -> WebNode:
        return WebNode(name="orthanc-web", url=f"http://127.0.0.1:{self.http_port}/dicom-web", timeout_s=30)

    def get(self, path: str) -> bytes:
        """Ask its own REST interface, which is none of ours."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=30) as answer:
            return answer.read()

    def is_up(self) -> None:
        """Raise OSError unless it answers, if only that it wants a password."""
        try:
            self.get("/system")
        except urllib.error.HTTPError as answer:
            answer.close()

    def files(self) -> dict[str, bytes]:
        """Return every instance that it holds, as a DICOM file, by its SOP instance UID."""
        held = json.loads(self.get("/instances?expand"))
        return {one["MainDicomTags"]["SOPInstanceUID"]: self.get(f"/instances/{one['ID']}/file") for one in held}

    def clear(self) -> None:
        """Forget everything."""
        for study in json.loads(self.get("/studies")):
            address = f"http://127.0.0.1:{self.http_port}/studies/{study}"
            urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=30).close()


@contextmanager
def orthanc(folder: Path, *, knows_us: bool = False, ports: tuple[int, int] | None = None, **settings: object):
    """Start Orthanc with its default configuration (and `settings`) for the time of the block."""
    program = need("Orthanc")
    plugin = next((path for path in PLUGINS if Path(path).exists()), None)
    if plugin is None:
        pytest.skip("the DICOMweb plugin of Orthanc is not installed (apt install orthanc-dicomweb)")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "orthanc.log"

    def start() -> Orthanc:
        dicom_port, http_port = ports or (free_port(), free_port())  # given, to start one again where it was
        configuration = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomPort": dicom_port,
            "HttpPort": http_port,
            "Plugins": [plugin],
            **({"DicomModalities": {"medimg": [OURS, "127.0.0.1", closed_port()]}} if knows_us else {}),
            **settings,
        }
        path = folder / "orthanc.json"
        path.write_text(json.dumps(configuration))
        with log.open("wb") as told:
            process = subprocess.Popen([program, str(path)], stdout=told, stderr=told, cwd=folder)
        return Orthanc(dicom_port=dicom_port, http_port=http_port, process=process)

    with _started(start, lambda made: made.process, lambda made: made.is_up(), log) as running:
        yield running


@contextmanager
def storescp(folder: Path, *options: str):
    """Start DCMTK's storescp for the time of the block; what it takes lies in `folder`."""
    program = need("storescp")
    folder.mkdir(parents=True, exist_ok=True)

    def start() -> tuple[subprocess.Popen, int]:
        port = free_port()
        words = [program, "-od", str(folder), *options, str(port)]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder), port

    def connect(made) -> None:
        socket.create_connection(("127.0.0.1", made[1]), timeout=1).close()

    with _started(start, lambda made: made[0], connect, None) as (_, port):
        yield DimseNode(name="storescp", host="127.0.0.1", port=port, ae_title="STORESCP", timeout_s=30)


@contextmanager
def _started(start, process_of, ready, log: Path | None):
    """Start a server, once more if it ended before it was ready, and end it after the block."""
    for left in reversed(range(STARTS)):
        made = start()
        process = process_of(made)
        try:
            try:
                _wait(made, ready, process, log)
            except RuntimeError:
                if not left:
                    raise
                continue
            yield made
            return
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(made, ready, process: subprocess.Popen, log: Path | None) -> None:
    """Wait until `ready` does not raise; fail with the log if the process ends."""
    end = time.monotonic() + START_S
    while True:
        try:
            ready(made)
            is_ready = True
        except OSError:
            is_ready = False
        has_ended = process.poll() is not None  # then it is somebody else who answers
        if is_ready and not has_ended:
            return
        if has_ended or time.monotonic() > end:
            raise RuntimeError(log.read_text(errors="replace") if log else f"{process.args[0]} did not start")
        time.sleep(0.05)


def data_set(content: bytes) -> bytes:
    """Return the bytes of a DICOM file after its file meta information, as they are."""
    import struct

    assert content[128:132] == b"DICM"
    assert content[132:136] == b"\x02\0\0\0", "the group length comes first"
    (length,) = struct.unpack_from("<I", content, 140)
    return content[144 + length :]
