"""The gateway of a storm, in its own process: it records what it accepts, then answers."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import django
from django.db import DatabaseError, connection

from django_mobilon_sms.sandbox import Exchange, Sandbox
from django_mobilon_sms.sandbox.request_checks import SEND
from tests.support.broken_replies import BROKEN_REPLIES

from .notes import note


def main() -> None:
    """Serve until SIGTERM. The first line printed is the address."""
    django.setup()
    sandbox = Sandbox(latency=float(os.environ["CHAOS_LATENCY"]), faults=BROKEN_REPLIES)
    sandbox.random.seed(int(os.environ["CHAOS_SEED"]))
    sandbox.on_request = Ledger(Path(os.environ["CHAOS_FOLDER"]) / "ledger").note
    for fault in json.loads(os.environ["CHAOS_FAULTS"]):
        sandbox.fault(**fault)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with sandbox:
        print(sandbox.url, flush=True)
        stop.wait()


class Ledger:
    """A file with a line per POST, written before the answer."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")
        self._lock = threading.Lock()

    def note(self, exchange: Exchange) -> None:
        """Look up these messages in the database, then write the line."""
        if exchange.path != SEND:
            if exchange.fault:
                note("fault")
            return
        heard = [message["guid"] for message in exchange.objects or []]
        line = {
            "at": time.time(),
            "heard": len(heard),
            "taken": [[message.guid, message.id] for message in exchange.received],
            "fault": exchange.fault,
            **look(heard, exchange.headers.get("User-Agent", "")),
        }
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()


def look(guids: list[str], sender: str) -> dict[str, Any]:
    """Return what another connection sees of messages whose POST has just arrived.

    ``uncommitted`` are the messages whose claim it does not see. ``given_up`` are those whose batch
    the worker or the sweep closed before the POST arrived; ``overtaken`` are those of them that a
    person had resent by then, and that this worker was not given again.
    """
    from django_mobilon_sms.models import SmsMessage

    if not guids:
        return {}
    fields = ("guid", "status", "resends", "batch__worker")
    rows = SmsMessage.objects.filter(guid__in=guids).values_list(*fields)
    try:
        seen = {str(guid): tuple(values) for guid, *values in rows}
    except DatabaseError:
        return {"not_looked": len(guids)}
    finally:
        connection.close()
    uncommitted, sending, overtaken = [], 0, 0
    for guid in guids:
        status, resends, worker = seen.get(guid, ("pending", 0, None))
        if not resends and status in ("pending", "expired"):
            uncommitted.append(guid)
        sending += status == "sending"
        overtaken += resends > 0 and (status == "pending" or worker != sender)
    given_up = len(guids) - sending - len(uncommitted)
    found = {"sending": sending, "given_up": given_up, "uncommitted": uncommitted}
    return found | {"overtaken": overtaken}


if __name__ == "__main__":
    main()
