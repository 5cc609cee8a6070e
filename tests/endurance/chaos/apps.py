"""What a worker of the storm has in it: points where it may be struck, and a count of errors."""

from __future__ import annotations

import functools
import http.client
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.apps import AppConfig
from django.db import DatabaseError
from django.db.backends.signals import connection_created

from . import clocks, surroundings
from .notes import folder, note

#: Words of the databases' errors, and what the report counts them as.
TROUBLES = {
    "deadlock": ("deadlock", "1213", "restart transaction"),
    "locked": ("is locked", "1205", "lock wait"),
}
#: A minute of the protocol, in seconds: short like the other times of a storm.
RESEND_MARGIN = 3


class ChaosConfig(AppConfig):
    """In each process of a storm."""

    name = "tests.endurance.chaos"

    def ready(self) -> None:
        """Shorten a wait. In workers set the points and faults, and count the databases' errors."""
        from django_mobilon_sms.models import batches

        batches.RESEND_MARGIN = timedelta(seconds=RESEND_MARGIN)
        connection_created.connect(lambda connection, **_: clocks.obey(connection), weak=False)
        if os.environ.get("CHAOS_ROLE") == "worker":
            set_points()
            say_who_posts()
            surroundings.set_up()
            connection_created.connect(lambda connection, **_: watch(connection), weak=False)


def say_who_posts() -> None:
    """Name the worker in each request, as it is named in the journal."""
    from django_mobilon_sms.gateway import client
    from django_mobilon_sms.worker.claims import worker_name

    client.HEADERS["User-Agent"] = worker_name()


def set_points() -> None:
    """Ask for a trap at each step of a message's way."""
    from django_mobilon_sms.gateway import client
    from django_mobilon_sms.models.messages import changes
    from django_mobilon_sms.worker import outcome_recording, run

    struck(changes.MessageQuerySet, "claim", before="mid_claim")
    struck(run._Run, "_post", before="claimed")
    struck(client.MobilonGateway, "send", before="before_post", after="after_post")
    struck(http.client.HTTPConnection, "send", before="writing")
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
    if count_trouble not in connection.execute_wrappers:  # a connection that is made anew
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
                note(kind)
        raise
