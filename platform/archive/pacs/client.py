"""What we ask of another archive, in DICOMweb: whether it is there, which exams it has, its instances."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from dicomweb_client.web import DICOMwebClient
from pydicom.dataset import Dataset

from archive import credentials
from archive.address import require_address
from archive.errors import (
    ArchiveBusy,
    ArchiveDown,
    ArchiveNonsense,
    ArchiveRefuses,
    ArchiveSlow,
    StudyMissing,
)
from archive.models import Archive
from archive.pacs.outbound import Outbound
from core.errors import MammoError

MOST_STUDIES = 100
_PAGE = 200
_MOST_PAGES = 500


@dataclass(frozen=True)
class Instance:
    """Where an instance is in its archive."""

    study: str
    series: str
    sop: str


def echo(archive: Archive) -> None:
    """Raises ArchiveDown, ArchiveSlow, ArchiveBusy, ArchiveRefuses, ArchiveNonsense, AddressRefused."""
    search(archive, {}, limit=1)


def search(archive: Archive, filters: dict[str, str], *, limit: int = MOST_STUDIES) -> list[dict[str, Any]]:
    """Mammography studies that fit, newest first as far as the archive sorts. For the page only: they name people."""
    with clear_errors(), _client(archive) as client:
        wanted = {"ModalitiesInStudy": "MG", **filters}
        fields = ["StudyDescription", "NumberOfStudyRelatedInstances", "ModalitiesInStudy"]
        found = client.search_for_studies(search_filters=wanted, fields=fields, limit=limit)
        return [_study(row) for row in _checked(found)[:limit]]


def _study(row: dict[str, Any]) -> dict[str, Any]:
    dataset = Dataset.from_json(row)
    modalities = dataset.get("ModalitiesInStudy") or []
    return {
        "study_uid": str(dataset.StudyInstanceUID),
        "patient_id": str(dataset.get("PatientID") or ""),
        "patient_name": str(dataset.get("PatientName") or ""),
        "date": str(dataset.get("StudyDate") or ""),
        "description": str(dataset.get("StudyDescription") or ""),
        "modalities": [modalities] if isinstance(modalities, str) else [str(m) for m in modalities],
        "instances": int(dataset.get("NumberOfStudyRelatedInstances") or 0) or None,
    }


def instances_of(archive: Archive, study: str) -> list[Instance]:
    """The mammography instances of a study, in the order of their UIDs. Raises as `echo`, and StudyMissing."""
    with clear_errors(missing=StudyMissing), _client(archive) as client:
        series = _checked(client.search_for_series(study, fields=["Modality"]))
        if not series:
            raise StudyMissing()
        found = []
        for row in series:
            dataset = Dataset.from_json(row)
            if dataset.get("Modality") in ("MG", None, ""):
                found += _instances(client, study, str(dataset.SeriesInstanceUID))
        return sorted(found, key=lambda instance: (instance.series, instance.sop))


def _instances(client: DICOMwebClient, study: str, series: str) -> list[Instance]:
    found: dict[str, Instance] = {}
    for page in range(_MOST_PAGES):
        rows = _checked(client.search_for_instances(study, series, limit=_PAGE, offset=page * _PAGE))
        before = len(found)
        for row in rows:
            sop = str(Dataset.from_json(row).SOPInstanceUID)
            found[sop] = Instance(study, series, sop)
        # An archive that knows no offset gives the first page again and again.
        if len(rows) < _PAGE or len(found) == before:
            break
    return list(found.values())


def fetch(archive: Archive, instance: Instance) -> Dataset:
    """One instance as the archive stores it, in whatever transfer syntax. One at a time: a study can be gigabytes.

    Frames are not asked for: archives answer with other bytes than they say. Raises as `instances_of`.
    """
    with clear_errors(missing=StudyMissing), _client(archive) as client:
        stored = (("application/dicom", "*"),)
        dataset = client.retrieve_instance(instance.study, instance.series, instance.sop, media_types=stored)
        if str(dataset.get("SOPInstanceUID")) != instance.sop:
            raise ArchiveNonsense("The archive sent another image than was asked for.")
        return dataset


@contextmanager
def _client(archive: Archive) -> Iterator[DICOMwebClient]:
    require_address(archive.url)
    with Outbound(networks=archive.networks, timeout_seconds=archive.timeout_seconds) as session:
        if archive.username:
            session.auth = (archive.username, credentials.unlock(bytes(archive.secret)))
        client = DICOMwebClient(archive.url.rstrip("/"), session=session)
        client.set_http_retry_params(retry=False)  # the job retries, and says so on its page
        yield client


def _checked(rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ArchiveNonsense()
    return rows


@contextmanager
def clear_errors(missing: type[MammoError] = ArchiveNonsense) -> Iterator[None]:
    """What the libraries raise, as errors that a person can act on. `missing` is what "not found" means."""
    try:
        yield
    except MammoError:
        raise
    except requests.exceptions.Timeout as error:
        raise ArchiveSlow() from error
    except requests.exceptions.TooManyRedirects as error:
        raise ArchiveNonsense("The archive points to another address; enter that one.") from error
    except requests.exceptions.SSLError as error:
        raise ArchiveRefuses("The archive's certificate is not one that this server trusts.") from error
    except requests.exceptions.HTTPError as error:
        raise _by_status(error.response, missing) from error
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        # A read that times out in the middle of a body has no class of its own.
        slow = "timed out" in str(error).lower()
        raise (ArchiveSlow() if slow else ArchiveDown()) from error
    except Exception as error:
        # Whatever a stranger's bytes make of the parsers: JSON, multipart, DICOM.
        raise ArchiveNonsense(kind=type(error).__name__) from error


def _by_status(response: requests.Response | None, missing: type[MammoError]) -> MammoError:
    status = response.status_code if response is not None else 0
    if status in (401, 403):
        return ArchiveRefuses(status=status)
    if status == 404:
        return missing(status=status)
    if status >= 500 or status == 429:
        return ArchiveBusy(status=status)
    return ArchiveNonsense(status=status)
