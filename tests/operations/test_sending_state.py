"""Whether messages go out: one state, read from the database, and one sentence for it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_mobilon_sms.choices import ErrorCode, Priority, WorkerKind
from django_mobilon_sms.conf import show_moment
from django_mobilon_sms.models import GatewayState, Heartbeat, db_now
from django_mobilon_sms.operations import observe, observe_sending
from tests.support.messages import write
from tests.support.sending_states import STATES, failed, never, nobody, seen

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

SENTENCES = {
    "works": ("works", "Sending works."),
    "idle": ("idle", "No message waits. The last worker was seen at TIME."),
    "nobody": ("nobody", "Nobody has sent since TIME. 37 messages wait."),
    "never": ("nobody", "No worker has run yet. 3 messages wait."),
    "paused": ("paused", "Sending has been paused since TIME by anna."),
    "blocked": ("blocked", "The gateway asks for payment (402). Next try: TIME."),
    "unreachable": (
        "blocked",
        "No connection to the gateway could be made. Next try: TIME.",
    ),
    "probing": (
        "probing",
        "The gateway asks for payment (402). The next message goes alone, to test the gateway.",
    ),
    "quiet": ("quiet", "Quiet hours: until TIME only urgent messages go out."),
    "disabled": (
        "disabled",
        "Sending is switched off in the settings (MOBILON_SMS_ENABLED).",
    ),
}


@pytest.fixture(autouse=True)
def anna():
    return User.objects.create_user("anna")


@pytest.mark.parametrize("name", STATES)
def test_each_state_has_a_word_and_a_sentence(settings, name):
    STATES[name](settings)
    state = observe_sending()
    sentence = re.sub(r"(\d\d/\d\d/\d{4} )?\d\d:\d\d(?=[. ])", "TIME", str(state))
    assert (state.word, sentence) == SENTENCES[name]
    assert (observe().state, observe().sentence) == (state.word, str(state))


def test_quiet_hours_are_no_silence_but_an_urgent_message_is(settings):
    STATES["quiet"](settings)
    assert observe_sending().word == "quiet"
    write(2, priority=Priority.HIGH)
    assert observe_sending()[:2] == ("nobody", 2)


def test_silence_is_as_long_as_the_setting(settings):
    write()
    seen(minutes=6)
    assert observe_sending().word == "nobody"
    settings.MOBILON_SMS_WORKER_SILENCE = 420
    assert observe_sending().word == "works"


def test_one_worker_of_many_is_enough(settings):
    nobody(settings)
    Heartbeat.objects.beat(WorkerKind.CRON, "sms-2")
    assert observe_sending().word == "works"


def test_heartbeat_that_a_clock_dated_ahead_says_nothing(settings):
    never(settings)
    seen(hours=-1)
    assert (observe_sending().word, observe_sending().since) == ("nobody", None)
    assert not observe().heartbeats


def test_messages_of_later_are_not_waited_for():
    write(send_at=timezone.now() + timedelta(hours=1))
    assert observe_sending().word == "idle"


def test_trouble_without_a_known_cause_is_trouble_too():
    seen(seconds=1)
    GatewayState.objects.current()
    GatewayState.objects.update(blocked_until=db_now() + timedelta(minutes=1))
    assert str(observe_sending()).startswith("There was trouble with the gateway. Next try: ")
    failed(ErrorCode.CREDENTIALS, 401)
    assert observe_sending().error_code == "credentials"


def test_that_all_is_well_takes_two_queries(settings):
    STATES["works"](settings)
    with CaptureQueriesContext(connection) as captured:
        assert observe_sending().word == "works"
    assert len(captured) == 2


def test_moment_of_another_day_has_its_date():
    now = timezone.localtime()
    assert show_moment(now) == f"{now:%H:%M}"
    assert show_moment(now - timedelta(days=1)) == f"{now - timedelta(days=1):%m/%d/%Y %H:%M}"
    assert show_moment(None) == ""
