"""Studies of a DICOMweb service: listed page by page with QIDO-RS, brought one by one with WADO-RS.

Credentials come from the user's `.netrc`, as for every program that uses `requests`; none is taken on a command line.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from secondread.schema.errors import InputError, ToolUnavailable, UsageError

PAGE = 100
TRIES = 4
WAIT_SECONDS = 0.5
"""Before the second try; doubled before each next one."""
FIELDS = ("StudyInstanceUID", "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex",
          "StudyDate", "StudyTime", "ModalitiesInStudy", "NumberOfStudyRelatedInstances")  # fmt: skip
CONNECT_SECONDS, READ_SECONDS = 10, 120


class ServiceFailed(InputError):
    """A DICOMweb service does not answer, or not with what was asked for; another try may be answered."""

    code = "service_failed"
    passing = True


def client(url: str) -> Any:
    """A client of the service.

    Raises:
        ToolUnavailable: The extra `dicomweb` is not installed.
        UsageError: Not a URL.
    """
    try:
        import requests
        from dicomweb_client.api import DICOMwebClient
    except ImportError:
        raise ToolUnavailable("A DICOMweb source needs the extra: pip install 'secondread[dicomweb]'.") from None

    class Bounded(requests.Session):
        """A session none of whose requests waits for ever."""

        def request(self, *args: Any, **options: Any) -> Any:
            options.setdefault("timeout", (CONNECT_SECONDS, READ_SECONDS))
            return super().request(*args, **options)

    try:
        made = DICOMwebClient(_base(url), session=Bounded())
    except (ValueError, TypeError) as error:
        raise UsageError(f"{_base(url)} is not the URL of a DICOMweb service: {error}.") from None
    made.set_http_retry_params(retry=False)
    return made


def studies_at(url: str) -> Iterator[dict[str, Any]]:
    """What is known of every study of a service; the query of the URL (`?ModalitiesInStudy=CR`) selects among them.

    Raises:
        ServiceFailed: It does not answer after several tries.
        UsageError: Not a URL.
    """
    service = client(url)
    filters = dict(parse_qsl(urlsplit(url).query))
    offset, seen = 0, set[str]()
    while True:
        ask = partial(
            service.search_for_studies, search_filters=filters, fields=list(FIELDS[2:]), limit=PAGE, offset=offset
        )
        page = _tried(url, ask)
        fresh = [one for one in map(_told, page or ()) if one["study"] and one["study"] not in seen]
        for one in fresh:
            seen.add(one["study"])
            yield one
        if len(page or ()) < PAGE or not fresh:
            return
        offset += len(page)


def fetch_study(url: str, study: str, folder: Path) -> Path:
    """Bring all instances of a study into a new folder below `folder`.

    Raises:
        ServiceFailed: The service does not answer, breaks off, or sends fewer instances than it lists.
    """
    service = client(url)
    target = Path(tempfile.mkdtemp(prefix="study-", dir=folder))
    try:
        listed = _tried(url, lambda: service.search_for_instances(study_instance_uid=study))
        _tried(url, lambda: _bring(service, study, target, len(listed or ())))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return target


def _bring(service: Any, study: str, target: Path, wanted: int) -> None:
    for old in target.iterdir():
        old.unlink()
    count = 0
    for dataset in service.iter_study(study):
        count += 1
        dataset.save_as(target / f"{count:06d}.dcm", enforce_file_format=True)
    if count < wanted or not count:
        raise OSError(f"{count} of {wanted} instances came")


def _tried(url: str, work: Callable[[], Any]) -> Any:
    for again in range(TRIES):
        try:
            return work()
        except Exception as error:  # whatever a broken connection or half a message makes of the libraries
            if again == TRIES - 1 or _refused(error):
                raise ServiceFailed(
                    f"The DICOMweb service at {urlsplit(url).netloc.rpartition('@')[2]} failed: {_reason(error)}."
                ) from None
            time.sleep(WAIT_SECONDS * 2**again)
    raise AssertionError("unreachable")


def _refused(error: Exception) -> bool:
    """Whether asking again is of no use: the service says that the request is wrong or not allowed."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status is not None and 400 <= status < 500 and status not in (408, 425, 429)


def _reason(error: Exception) -> str:
    """What happened, without what the service said: that may quote identifiers."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP status {status}" if status is not None else type(error).__name__


def _base(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _told(found: dict[str, Any]) -> dict[str, Any]:
    from pydicom.datadict import tag_for_keyword

    def values(keyword: str) -> list[Any]:
        return list(found.get(f"{tag_for_keyword(keyword):08X}", {}).get("Value", ()))

    def text(keyword: str) -> str:
        first = next(iter(values(keyword)), "")
        return str(first.get("Alphabetic", "") if isinstance(first, dict) else first).strip()

    day, time_of_day = text("StudyDate"), text("StudyTime")
    instances = text("NumberOfStudyRelatedInstances")
    return {
        "study": text("StudyInstanceUID"),
        "patient": text("PatientID"),
        "issuer": text("IssuerOfPatientID"),
        "name": text("PatientName"),
        "birth": text("PatientBirthDate"),
        "sex": text("PatientSex"),
        "moment": day + time_of_day if len(day) == 8 else "",
        "modalities": [str(value) for value in values("ModalitiesInStudy")],
        "images": int(instances) if instances.isdigit() else 0,
    }
