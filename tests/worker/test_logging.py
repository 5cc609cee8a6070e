"""A logging handler of the project that raises takes no outcome with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, OperationalError

from django_mobilon_sms.models import GatewayState, SmsBatch
from django_mobilon_sms.worker import outcome_recording
from tests.support.messages import write

pytestmark = pytest.mark.django_db(transaction=True)


class Broken(logging.Handler):
    """A handler whose own fault logging does not catch."""

    def __init__(self) -> None:
        super().__init__()
        self.met: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.met.append(record.getMessage().split()[0])
        raise RuntimeError("The log is full.")


@pytest.fixture
def broken() -> Iterator[Broken]:
    logger, handler = logging.getLogger("django_mobilon_sms"), Broken()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def outcomes() -> list[tuple[str, str]]:
    return list(SmsBatch.objects.values_list("outcome", "error_code"))


def test_outcome_of_a_failed_request_is_recorded(sandbox, worker, broken):
    [message] = write()
    sandbox.fault("http", code=500)
    worker("--no-refresh")
    assert outcomes() == [("no_proof", "http_error")]
    message.refresh_from_db()
    assert (message.status, GatewayState.objects.get().failures) == ("unknown", 1)
    assert broken.met == ["post.failed", "breaker.trip", "run.error"]


def test_outcome_is_recorded_after_a_retry(sandbox, worker, broken, monkeypatch):
    write()
    record_all, errors = outcome_recording.record_all, [OperationalError("locked")]

    def locked_once(results):
        if errors:
            raise errors.pop()
        return record_all(results)

    monkeypatch.setattr(outcome_recording, "record_all", locked_once)
    worker("--no-refresh")
    assert outcomes() == [("answered", "")]
    assert broken.met == ["database.retry"]


def test_outcome_that_reaches_no_message_is_journalled(sandbox, worker, broken, monkeypatch):
    write()

    def refuse(results):
        raise DatabaseError("no retry mends it") from None

    monkeypatch.setattr(outcome_recording, "record_all", refuse)
    monkeypatch.setattr(outcome_recording, "retry_on_lock", lambda write, **options: write())
    worker("--no-refresh")
    assert outcomes() == [("answered", "")]
    assert "batch.unrecorded" in broken.met
