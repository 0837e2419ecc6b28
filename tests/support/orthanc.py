"""A real Orthanc of the machine, with a password, on a free port, gone afterwards."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from pydicom.dataset import Dataset

from tests.archive.factories import file_of
from tests.support.platform import free_port, until

LOGIN = ("mammo", "secret")


def dicomweb_plugin() -> Path | None:
    """Orthanc's DICOMweb plugin, where it is installed."""
    return next(iter(Path("/usr").glob("share/orthanc/plugins/libOrthancDicomWeb*")), None)


@contextmanager
def an_orthanc(program: str, plugin: Path, folder: Path) -> Iterator[str]:
    """The DICOMweb root of a fresh one that wants `LOGIN`."""
    port = free_port()
    config = {
        "Name": "TESTPACS", "StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": port,
        "RemoteAccessAllowed": False, "AuthenticationEnabled": True, "RegisteredUsers": dict([LOGIN]),
        "DicomServerEnabled": False, "Plugins": [str(plugin)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full"},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(config))
    process = subprocess.Popen(
        [program, str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: process.poll() is not None or _answers(port), 30, "Orthanc")
        assert process.poll() is None, "Orthanc did not start"
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/system", timeout=1).status_code in (200, 401)
    except requests.RequestException:
        return False


def sent_to(orthanc: str, *datasets: Dataset) -> None:
    """Store images in an Orthanc by its own door."""
    for dataset in datasets:
        address = orthanc.replace("/dicom-web", "/instances")
        answer = requests.post(address, data=file_of(dataset), auth=LOGIN, timeout=20)
        assert answer.status_code == 200, answer.text
