"""What a worker of the storm has in it: points where it may be struck, and a count of errors."""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.db import DatabaseError
from django.db.backends.signals import connection_created

#: Words of the databases' errors, and what the report counts them as.
TROUBLES = {
    "deadlock": ("deadlock", "1213", "restart transaction"),
    "locked": ("is locked", "1205", "lock wait"),
}


class ChaosConfig(AppConfig):
    """Active in worker processes only."""

    name = "tests.endurance.chaos"

    def ready(self) -> None:
        """Set the points, and count the databases' errors."""
        if os.environ.get("CHAOS_ROLE") == "worker":
            set_points()
            connection_created.connect(lambda connection, **_: watch(connection), weak=False)


def set_points() -> None:
    """Ask for a trap at each step of a message's way."""
    from django_mobilon_sms.gateway import client
    from django_mobilon_sms.models import message_changes
    from django_mobilon_sms.worker import outcome_recording, run

    struck(message_changes.MessageQuerySet, "claim", before="mid_claim")
    struck(run._Run, "_post", before="claimed")
    struck(client.MobilonGateway, "send", before="before_post", after="after_post")
    struck(outcome_recording, "record_all", before="before_record", after="recorded")
    struck(outcome_recording, "apply", before="mid_record")
    struck(outcome_recording, "update_breaker", after="judged")


POINTS = (
    "mid_claim",
    "claimed",
    "before_post",
    "after_post",
    "before_record",
    "mid_record",
    "recorded",
    "judged",
)


def struck(owner: Any, name: str, *, before: str = "", after: str = "") -> None:
    """Let the function ask for a trap before and after it does its work."""
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    def asking(*args: Any, **kwargs: Any) -> Any:
        if before:
            spring(before)
        result = function(*args, **kwargs)
        if after:
            spring(after)
        return result

    setattr(owner, name, asking)


def folder() -> Path:
    """Where the storm and its processes leave notes for each other."""
    return Path(os.environ["CHAOS_FOLDER"])


def spring(point: str) -> None:
    """Take the signal that the storm has laid at this point, if any; one worker gets it."""
    trap = folder() / f"trap.{point}"
    if not trap.exists():
        return
    mine = folder() / f"sprung.{uuid.uuid4().hex}"
    try:
        trap.rename(mine)
    except FileNotFoundError:
        return
    os.kill(os.getpid(), int(mine.read_text()))


def watch(connection: Any) -> None:
    """Count deadlocks and locks of this connection."""
    connection.execute_wrappers.append(count_trouble)


def count_trouble(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
    """An execute wrapper that notes what the database could not do at once."""
    with noted():
        return execute(sql, params, many, context)


@contextmanager
def noted() -> Iterator[None]:
    """Append the kind of a database's error to the notes."""
    try:
        yield
    except DatabaseError as error:
        said = f"{error}".lower()
        for kind, words in TROUBLES.items():
            if any(word in said for word in words):
                with (folder() / "troubles").open("a") as notes:
                    notes.write(f"{kind}\n")
        raise
