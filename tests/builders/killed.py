"""Send from an outbox to a real Orthanc while either of them is killed by SIGKILL, and count what the archive has in the end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import md5
from typing import TYPE_CHECKING

from medimg.nodes import Outbox, add_node
from tests.builders.objects import STUDY, write_objects
from tests.builders.orthanc import data_set, free_port, orthanc

if TYPE_CHECKING:
    from pathlib import Path

OBJECTS = 24  # of a study: some are there, some are on their way, the rest waits when the blow falls
SIDE = 512  # pixels: 256 KiB an object, so that a transfer takes long enough to be cut
LONGEST_S = 0.5  # a send takes about as long
VICTIMS = ("sender", "archive", "both")
SEND = """
import sys
from medimg.nodes import Outbox
from medimg.nodes._outbox_entry import Backoff
folder, config, node = sys.argv[1:]
with Outbox(folder, pacs_config=config, backoff=Backoff(first_s=0.01, most_s=0.05)) as outbox:
    import pynetdicom, pydicom, urllib3
    print("ready", flush=True)
    outbox.send(node)
"""


@dataclass
class Tally:
    """What a series of runs came to."""

    runs: int = 0
    put: int = 0
    killed: Counter = field(default_factory=Counter)  # who was killed
    struck: Counter = field(default_factory=Counter)  # how far the send was: states of the entries when the blow fell
    in_archive: int = 0  # instances
    lost: list[str] = field(default_factory=list)  # UIDs that are not there
    twice: list[str] = field(default_factory=list)  # UIDs that are there more than once
    changed: list[str] = field(default_factory=list)  # UIDs whose data set is another
    unknown: list[str] = field(default_factory=list)  # UIDs that nobody put there
    not_delivered: int = 0  # entries of the outbox that are in another state
    rounds: Counter = field(default_factory=Counter)  # sends after the blow until everything was delivered

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.twice or self.changed or self.unknown or self.not_delivered)


def trial(folder: Path, *, runs: int, seed: int, tell=print) -> Tally:
    """Do `runs` runs, each a study of new objects, by DIMSE and DICOMweb in turns; `seed` decides who is killed and when."""
    chance, tally = random.Random(seed), Tally()
    ports = free_port(), free_port()
    box, config, expected = folder / "outbox", folder / "pacs.toml", {}
    archive, running = _start(folder, ports)
    add_node(running.dimse, pacs_config=config)
    add_node(running.web, pacs_config=config)
    try:
        for number in range(runs):
            files = write_objects(folder / f"study-{number}", OBJECTS, study=f"{STUDY}.{number + 1}", side=SIDE, value=number)
            node = (running.dimse, running.web)[number % 2].name
            with Outbox(box, pacs_config=config) as outbox:
                for entry, file in zip(outbox.put(files, node), files, strict=True):
                    expected[entry.instance_uid] = md5(data_set(file.read_bytes())).hexdigest()
            victim, delay_s = chance.choice(VICTIMS), chance.random() * LONGEST_S
            sender = _sender(box, config, node)
            sender.stdout.readline()
            time.sleep(delay_s)
            if victim != "archive":
                sender.kill()
            if victim != "sender":
                running.process.kill()
                running.process.wait()
            sender.wait(timeout=120)
            sender.stdout.close()
            with Outbox(box, pacs_config=config) as outbox:
                mine = [entry for entry in outbox.entries() if entry.study_uid == f"{STUDY}.{number + 1}"]
            states = Counter(str(entry.state) for entry in mine)
            tally.killed[victim] += 1
            tally.struck[
                "before" if set(states) == {"waiting"} else "after" if set(states) == {"delivered"} else "in the middle"
            ] += 1
            if running.process.poll() is not None:
                archive.__exit__(None, None, None)
                archive, running = _start(folder, ports)
            for again in range(1, 6):
                _finish(_sender(box, config, node))
                with Outbox(box, pacs_config=config) as outbox:
                    left = [entry for entry in outbox.entries() if str(entry.state) != "delivered"]
                if not left:
                    tally.rounds[again] += 1
                    break
            tell(f"run {number + 1}: {victim} killed after {delay_s:.2f} s ({node}), {dict(states)}; {len(left)} left")
        _count(running, expected, tally)
    finally:
        archive.__exit__(None, None, None)
    with Outbox(box, pacs_config=config) as outbox:
        tally.not_delivered = sum(str(entry.state) != "delivered" for entry in outbox.entries())
    tally.runs, tally.put = runs, len(expected)
    return tally


def _start(folder: Path, ports: tuple[int, int]):
    archive = orthanc(folder / "orthanc", knows_us=True, ports=ports)
    return archive, archive.__enter__()


def _sender(box: Path, config: Path, node: str) -> subprocess.Popen:
    words = [sys.executable, "-c", SEND, str(box), str(config), node]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ)


def _finish(sender: subprocess.Popen) -> None:
    sender.communicate(timeout=120)
    assert sender.returncode in (0, -signal.SIGKILL), "the sender failed"


def _count(running, expected: dict[str, str], tally: Tally) -> None:
    """Count what is in the archive by its own interface, which is none of ours."""
    held = json.loads(running.get("/instances?expand"))
    uids = Counter(one["MainDicomTags"]["SOPInstanceUID"] for one in held)
    tally.in_archive = len(held)
    tally.lost = sorted(set(expected) - set(uids))
    tally.unknown = sorted(set(uids) - set(expected))
    tally.twice = [uid for uid, count in uids.items() if count > 1]
    for one in held:
        uid = one["MainDicomTags"]["SOPInstanceUID"]
        content = running.get(f"/instances/{one['ID']}/file")
        if uid in expected and md5(data_set(content)).hexdigest() != expected[uid]:
            tally.changed.append(uid)
