"""A real PACS for a test: Orthanc with its DICOMweb plugin, as it is installed or knowing us, on free ports of this machine."""

from __future__ import annotations

import json
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
PLUGINS = ("/usr/share/orthanc/plugins/libOrthancDicomWeb.so", "/usr/lib/orthanc/libOrthancDicomWeb.so")
OURS = "MEDIMG"
TITLE = "ORTHANC"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


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
    dicom_port, http_port = ports or (free_port(), free_port())  # given, to start one again where it was
    configuration = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "Plugins": [plugin],
        **({"DicomModalities": {"medimg": [OURS, "127.0.0.1", free_port()]}} if knows_us else {}),
        **settings,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(path)], stdout=log, stderr=log, cwd=folder)
    try:
        running = Orthanc(dicom_port=dicom_port, http_port=http_port, process=process)
        _wait(running.is_up, process, folder / "orthanc.log")
        yield running
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def storescp(folder: Path, *options: str):
    """Start DCMTK's storescp for the time of the block; what it takes lies in `folder`."""
    program = need("storescp")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    process = subprocess.Popen(
        [program, "-od", str(folder), *options, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    try:
        _wait(lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close(), process, None)
        yield DimseNode(name="storescp", host="127.0.0.1", port=port, ae_title="STORESCP", timeout_s=30)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(ready, process: subprocess.Popen, log: Path | None) -> None:
    """Wait until `ready` does not raise; fail with the log if the process ends."""
    end = time.monotonic() + START_S
    while True:
        try:
            ready()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(log.read_text(errors="replace") if log else f"{process.args[0]} did not start") from None
            time.sleep(0.05)


def data_set(content: bytes) -> bytes:
    """Return the bytes of a DICOM file after its file meta information, as they are."""
    import struct

    assert content[128:132] == b"DICM"
    assert content[132:136] == b"\x02\0\0\0", "the group length comes first"
    (length,) = struct.unpack_from("<I", content, 140)
    return content[144 + length :]
