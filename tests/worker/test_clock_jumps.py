"""A database clock that jumps, forward or back, in each phase of sending."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage
from django_mobilon_sms.worker import deliver
from tests.support.cron import MINUTE, START, Clock
from tests.support.messages import write

pytestmark = [
    pytest.mark.slow,
    pytest.mark.databases,
    pytest.mark.django_db(transaction=True),
]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
JUMPS = [sign * length for length in (HOUR, DAY, 365 * DAY) for sign in (1, -1)]
PHASES = ("claim", "POST", "record", "wait")
#: The POSTs at which the clock jumps: the first trouble, and a probe that goes well.
AT = (0, 2)
#: When the clock is set right again.
RIGHT = ("at the next POST", "before the next run", "never")


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("django_mobilon_sms.database.clock.Now", clock)
    return clock


class Jump:
    """Moves the clock in one phase of one POST, and sets it right again."""

    def __init__(self, clock, phase, at, length, right):
        self.clock, self.phase, self.at, self.length, self.right = clock, phase, at, length, right
        self.posts, self.is_made = 0, False

    def reached(self, phase, at):
        # A run may go on after its POST: then it is the next wait.
        is_here = at == self.at or (phase == "wait" and at > self.at)
        if phase == self.phase and is_here and not self.is_made:
            self.clock.now += self.length
            self.is_made = True

    def set_right(self, when):
        if self.is_made and when == self.right:
            self.clock.now -= self.length
            self.right = "never"

    def claim(self):
        self.reached("claim", self.posts)
        return False

    def post(self, exchange):
        self.set_right("at the next POST")
        self.posts += 1
        self.reached("POST", self.posts - 1)

    def statement(self, execute, sql, *arguments):
        if sql.startswith("UPDATE") and SmsBatch._meta.db_table in sql.partition("SET")[0]:
            self.reached("record", self.posts - 1)
        return execute(sql, *arguments)

    def run(self):
        self.set_right("before the next run")
        with connection.execute_wrapper(self.statement):
            report = deliver(batch_size=2, concurrency=1, stopping=self.claim)
        self.reached("wait", self.posts - 1)
        return report


def forget_everything(sandbox):
    for model in (SmsMessage, SmsBatch, GatewayState):
        model.objects.all()._raw_delete(using=model.objects.for_write().db)
    sandbox.forget()


@pytest.mark.parametrize("phase", PHASES)
def test_jump_stops_nothing_repeats_nothing_and_hides_no_outage(sandbox, clock, phase):
    """Two outages are met, the first with one failing probe, the second with two."""
    for at, length, right in ((a, b, c) for a in AT for b in JUMPS for c in RIGHT):
        forget_everything(sandbox)
        clock.now = START
        GatewayState.objects.current()
        sandbox.fault("http", code=500, times=2)
        sandbox.fault("code_200", times=2)
        sandbox.fault("http", code=500, times=3)
        write(12)
        jump = Jump(clock, phase, at, length, right)
        sandbox.on_request = jump.post
        for _ in range(16):
            jump.run()
            clock.now += 15 * MINUTE
            if not SmsMessage.objects.filter(status=Status.PENDING).exists():
                break
        case = f"{phase} {at} {length} {right}"
        assert jump.is_made, case
        # After trouble one message probes the gateway; after a good reply all go on.
        sizes = [len(post.objects) for post in sandbox.posts]
        assert sizes == [2, 1, 1, 2, 2, 1, 1, 1, 1], case
        found = SmsMessage.objects.values_list("status", flat=True)
        assert sorted(found) == [Status.ACCEPTED] * 5 + [Status.UNKNOWN] * 7, case
        state = GatewayState.objects.current()
        assert (state.blocked_until, state.failures) == (None, 0), case
