"""Cron and its workers in simulated time: an hour passes in seconds, and no row knows."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

from django.db import connections
from django.db.models import DateTimeField, Value
from django.db.models.functions import Cast

from django_mobilon_sms.gateway import MobilonGateway
from django_mobilon_sms.worker import deliver

#: Later than any time that the database writes by itself.
START = datetime(2040, 1, 1, tzinfo=timezone.utc)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
PATIENCE = 120  # seconds: what takes that long waits for something that never comes


class Clock:
    """Stands in for ``Now`` in ``clock.py``. Each reading is a millisecond after the last."""

    def __init__(self):
        self.now = self.minute = START
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            self.now += timedelta(milliseconds=1)
            return Cast(Value(self.now, DateTimeField()), DateTimeField())

    def begin(self, minute):
        """It is this minute, sharp."""
        assert self.now < START + minute * MINUTE or minute == 0
        self.now = self.minute = START + minute * MINUTE

    def pass_a_second(self):
        """It is at least a second past the minute: a request takes its time."""
        with self._lock:
            self.now = max(self.now, self.minute + SECOND)


class Gateway(MobilonGateway):
    """The gateway's adapter, which waits for the word to go on before each POST."""

    @staticmethod
    def go():
        """Set by ``Cron``."""

    def send(self, messages):
        self.go()
        return super().send(messages)


class Cron:
    """Starts workers at once, each minute; ``on_post`` receives the number of POSTs before.

    The first POST of each worker waits until every other has one too, or has ended: so all of
    them claim before one hears an answer.
    """

    def __init__(self, monkeypatch, settings, *, workers=2, on_post=lambda before: None):
        self.clock = Clock()
        self.on_post = on_post
        self.posts = 0
        self._here = 0  # workers that have a POST, or have ended
        self._change = threading.Condition()
        self._pools = [ThreadPoolExecutor(1) for _ in range(workers)]
        settings.MOBILON_SMS_BACKEND = "tests.support.cron.Gateway"
        monkeypatch.setattr("django_mobilon_sms.database.clock.Now", self.clock)
        monkeypatch.setattr("tests.support.cron.Gateway.go", lambda gateway: self._meet())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for pool in self._pools:
            pool.submit(connections.close_all).result(PATIENCE)
            pool.shutdown()

    def run(self, minute):
        """The exit codes of this minute's workers, the lowest first."""
        self.clock.begin(minute)
        self._here = 0
        runs = [pool.submit(self._work) for pool in self._pools]
        return tuple(sorted(run.result(PATIENCE) for run in runs))

    def _work(self):
        try:
            return deliver().exit_code
        finally:
            self._arrive()

    def _meet(self):
        with self._change:
            before, self.posts = self.posts, self.posts + 1
        self._arrive()
        with self._change:
            assert self._change.wait_for(lambda: self._here >= len(self._pools), PATIENCE)
        self.on_post(before)
        self.clock.pass_a_second()

    def _arrive(self):
        with self._change:
            self._here += 1
            self._change.notify_all()
