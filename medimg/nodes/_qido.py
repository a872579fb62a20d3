"""Ask an archive by QIDO-RS (PS3.18 section 10.6) which instances it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from medimg.errors import NodeError
from medimg.nodes._dimse_find import Told
from medimg.nodes._http import Web, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from medimg.nodes._node import WebNode

SINGLY = 8  # instances of a series that are asked for one by one; of more, all of the series are listed
PAGE = 500  # answers of one question; archives have limits of their own, so more are asked for until none come
PAGES_LIMIT = 2000
INSTANCE_UID = "00080018"
NO_CONTENT, NOT_FOUND = 204, 404


def find(node: WebNode, instances: Sequence[tuple[str, str, str]]) -> dict[str, Told]:
    """Ask for instances, each (study, series, instance UID), and return what the node says of each instance UID."""
    told: dict[str, Told] = {}
    series: dict[tuple[str, str], list[str]] = {}
    for study_uid, series_uid, instance_uid in instances:
        series.setdefault((study_uid, series_uid), []).append(instance_uid)
    try:
        with Web(node) as web:
            for (study_uid, series_uid), uids in series.items():
                path = f"/studies/{study_uid}/series/{series_uid}/instances"
                there: set[str] = set()
                if len(uids) <= SINGLY:
                    for uid in uids:
                        there |= _uids(search(web, path, {"SOPInstanceUID": uid, "limit": "1"}))
                else:
                    there = _all(web, path)
                told |= {uid: Told(uid in there) for uid in uids}
    except NodeError as error:
        left = Told(None, str(error).rstrip("."), retry=error.retry)
        return {uid: told.get(uid, left) for _, _, uid in instances}
    return told


def search(web: Web, path: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the answers to a search as DICOM JSON; none where there are none.

    Raises:
        NodeError: it refuses, offers no search, or answers with what is no DICOM JSON.
    """
    with web.request("GET", f"{path}?{urlencode(parameters)}") as response:
        status = response.status
        content = web.read_json(response) if status == 200 else None
    if status == NO_CONTENT:
        return []
    if status == NOT_FOUND and path != "/studies":  # of a study that is not there, or because there is no search at all
        search(web, "/studies", {"limit": "1"})
        return []
    if status != 200:
        raise refusal(web.node, status)
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise NodeError(f"{web.node.name} answers a search with what is no DICOM JSON. Check its url.", retry=False)
    return content


def _all(web: Web, path: str) -> set[str]:
    """Return the UIDs of all instances below `path`."""
    there: set[str] = set()
    for _ in range(PAGES_LIMIT):
        page = _uids(search(web, path, {"limit": str(PAGE), "offset": str(len(there))}))
        if page <= there:
            break
        there |= page
    return there


def _uids(answers: list[dict[str, Any]]) -> set[str]:
    found = set()
    for answer in answers:
        values = answer.get(INSTANCE_UID, {}).get("Value") if isinstance(answer.get(INSTANCE_UID), dict) else None
        if isinstance(values, list) and values:
            found.add(str(values[0]))
    return found
