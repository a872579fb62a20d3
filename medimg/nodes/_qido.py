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
STUDY_UID, SERIES_UID, INSTANCE_UID = "0020000D", "0020000E", "00080018"
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
                there = _there(web, study_uid, series_uid, uids)
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


def _there(web: Web, study_uid: str, series_uid: str, uids: list[str]) -> set[str]:
    """Ask for instances by name where they are few, else for all of the series; then the other way if that tells nothing.

    Some archives pass over what they do not know: the UID, so that they show any instances, or the offset, so that they show the
    first ones for ever; and some show a part of a long list and nothing behind it (Orthanc: LimitFindInstances).
    """
    ways = (_by_name, _all) if len(uids) <= SINGLY else (_all, _by_name)
    there: set[str] = set()
    for way in ways:
        missing = [uid for uid in uids if uid not in there]
        found, is_clear = way(web, {STUDY_UID: study_uid, SERIES_UID: series_uid}, missing)
        there |= found
        if is_clear or there.issuperset(uids):
            break
    return there


def _by_name(web: Web, above: dict[str, str], uids: list[str]) -> tuple[set[str], bool]:
    """Return which instances are shown when they are asked for one by one, and whether nothing else was shown."""
    there: set[str] = set()
    is_clear = True
    for uid in uids:
        answers = search(web, _path(above), {"SOPInstanceUID": uid, "limit": "1"})
        there |= _uids(answers, above)
        is_clear &= uid in there or not answers
    return there, is_clear


def _all(web: Web, above: dict[str, str], _uids_wanted: list[str]) -> tuple[set[str], bool]:
    """Return the UIDs of all instances of a series, and whether there are none: some cut a list off where it ends in silence."""
    there: set[str] = set()
    for _ in range(PAGES_LIMIT):
        page = search(web, _path(above), {"limit": str(PAGE), "offset": str(len(there))})
        new = _uids(page, above) - there
        if not new:
            return there, not page and not there
        there |= new
    return there, False


def _path(above: dict[str, str]) -> str:
    return f"/studies/{above[STUDY_UID]}/series/{above[SERIES_UID]}/instances"


def _uids(answers: list[dict[str, Any]], above: dict[str, str]) -> set[str]:
    """Return the instances that are shown; not those that are said to be of another study or series."""
    return {
        _value(answer, INSTANCE_UID) for answer in answers if all(_value(answer, tag) in ("", uid) for tag, uid in above.items())
    }


def _value(answer: dict[str, Any], tag: str) -> str:
    element = answer.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""
