"""Make docs/images/ohif_seg.png and ohif_sr.png: OHIF beside an Orthanc that holds a scan and what medimg made of it.

Usage: python docs/make_viewer_pictures.py [SCAN]    the folder of a DICOM scan in which something is found, or example_dicoms

Wants Orthanc with its DICOMweb plugin, Chromium, node and npm.

OHIF and puppeteer-core come from npm into a temporary folder, in the versions below. The viewer asks Orthanc by DICOMweb as it
would any archive; both pictures are what it shows of its own accord after the series was chosen and loaded.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.error
import urllib.request
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
VIEWER, DRIVES = "@ohif/app@3.12.10", "puppeteer-core@24"
PASSED_ON = ("/dicom-web", "/wado")
WAIT_MS = 20_000  # software rendering takes its time
CONFIG = """window.config = {
  routerBasename: null, extensions: [], modes: [], showStudyList: true, showCPUFallbackMessage: false,
  strictZSpacingForVolumeViewport: true, investigationalUseDialog: { option: "never" }, defaultDataSourceName: "orthanc",
  dataSources: [{
    namespace: "@ohif/extension-default.dataSourcesModule.dicomweb", sourceName: "orthanc",
    configuration: {
      friendlyName: "Orthanc", name: "orthanc", qidoRoot: "/dicom-web", wadoRoot: "/dicom-web", wadoUriRoot: "/wado",
      imageRendering: "wadors", thumbnailRendering: "wadors", enableStudyLazyLoad: true, supportsWildcard: true,
      omitQuotationForMultipartRequest: true, bulkDataURI: { enabled: true, relativeResolution: "studies" },
    },
  }],
};
"""
DRIVER = """
import puppeteer from "puppeteer-core";
const [address, study, chromium, wait, ...rest] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: chromium, protocolTimeout: 600000, defaultViewport: { width: 1300, height: 820 },
  args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"],
});
const pause = () => new Promise((done) => setTimeout(done, Number(wait)));
const press = (page, words) => page.evaluate((words) => {
  const all = [...document.querySelectorAll("button, span, div")];
  all.filter((one) => one.textContent.trim() === words && one.children.length < 2).pop()?.click();
}, words);
for (let i = 0; i < rest.length; i += 2) {
  const page = await browser.newPage();
  await page.goto(`${address}/viewer?StudyInstanceUIDs=${study}&initialSeriesInstanceUID=${rest[i]}`);
  await pause();
  await press(page, "Skip all");
  await press(page, "Yes");
  await pause();
  await page.screenshot({ path: rest[i + 1] });
}
await browser.close();
"""


def main() -> int:
    """Make both pictures."""
    scan = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "example_dicoms"
    sys.path.insert(0, str(ROOT))
    from PIL import Image

    from medimg import infer
    from medimg.nodes import send
    from tests.builders.orthanc import orthanc

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None or shutil.which("npm") is None:
        sys.stderr.write("make_viewer_pictures needs Chromium, node and npm. Install them.\n")
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        subprocess.run(["npm", "install", "--silent", "--ignore-scripts", DRIVES], cwd=work, check=True)
        subprocess.run(["npm", "pack", "--silent", VIEWER], cwd=work, check=True)  # what it was built from is not wanted
        with tarfile.open(next(work.glob("*.tgz"))) as packed:
            packed.extractall(work, filter="data")
        (work / "driver.mjs").write_text(DRIVER, encoding="utf-8")
        result = infer(scan, output=work / "results")
        with orthanc(work / "orthanc") as archive:
            for path in (scan, result.studies[0].folder):
                send(path, archive.web)
            study = json.loads(archive.get("/studies?expand"))[0]["MainDicomTags"]["StudyInstanceUID"]
            tags = [one["MainDicomTags"] for one in json.loads(archive.get("/series?expand"))]
            series = {one["Modality"]: one["SeriesInstanceUID"] for one in tags}
            server = serve(work / "package" / "dist", f"http://127.0.0.1:{archive.http_port}")
            address = f"http://127.0.0.1:{server.server_port}"
            pairs = [word for kind in ("SEG", "SR") for word in (series[kind], str(IMAGES / f"ohif_{kind.lower()}.png"))]
            subprocess.run(["node", "driver.mjs", address, study, chromium, str(WAIT_MS), *pairs], cwd=work, check=True)
            server.shutdown()
        for name in pairs[1::2]:  # grey slices and a few colours: a palette is a third of the size
            Image.open(name).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(name, optimize=True)
    return 0


def serve(viewer: Path, archive: str) -> ThreadingHTTPServer:
    """Serve the viewer's files and pass its questions on to the archive, from one address, so that a browser lets it ask."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(viewer))

        def log_message(self, *args: object) -> None:
            """Say nothing."""

        def end_headers(self) -> None:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            super().end_headers()

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if self.path.startswith(PASSED_ON):
                self.answer(*self.asked())
            elif path == "/app-config.js":
                self.answer(200, "text/javascript", CONFIG.encode())
            else:
                if not (viewer / path.lstrip("/")).is_file():
                    self.path = "/index.html"  # a page of the application
                super().do_GET()

        def asked(self) -> tuple[int, str, bytes]:
            question = urllib.request.Request(archive + self.path, headers={"Accept": self.headers.get("Accept", "*/*")})
            try:
                with urllib.request.urlopen(question, timeout=60) as found:
                    kind, content = found.headers.get("Content-Type", ""), found.read()
                    return found.status, kind, content.replace(archive.encode(), b"") if "json" in kind else content
            except urllib.error.HTTPError as error:
                return error.code, error.headers.get("Content-Type", ""), error.read()

        def answer(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    sys.exit(main())
