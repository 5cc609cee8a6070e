"""Messages sent again as new ones: by the form, or many at once after a question."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from django_mobilon_sms.choices import ErrorCode, Status
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import database_time, stop
from tests.support.admin_door import ADD, LIST, act, become, history, notices, page, person, text_of
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)
SKIPPED = "1 message was skipped: its status has changed, or does not allow it."


def failed(count=1, **fields):
    return become(write(count, **fields), status=Status.FAILED, error_code=ErrorCode.REJECTED)


def soon(wait):
    return (database_time() + wait).replace(microsecond=0)  # as a form keeps it


def ask(client, messages, **fields):
    """Choose the action; return the page that asks."""
    chosen = {"action": "copy", "_selected_action": [m.pk for m in messages], "index": 0}
    return client.post(LIST, chosen | fields)


def confirm(client, question, **fields):
    """Press the button of the page that asked."""
    data = {}
    for name, value in question.context["fields"]:
        data.setdefault(name, []).append(value)
    return notices(client.post(LIST, data | {"_confirm": "yes"} | fields, follow=True))


# By the form


def test_copy_opens_the_form_filled_in_and_sends_nothing(client):
    send_at, expires_at = soon(HOUR), soon(2 * HOUR)
    fields = {"send_at": send_at, "expires_at": expires_at}
    [message] = write(tag="order 7", priority=9, text="Первая\nВторая", source="8999", **fields)
    SmsMessage.objects.filter(pk=message.pk).cancel()
    address = f"{ADD}?copy={message.pk}"
    html = client.get(page(message)).content.decode()
    assert f'href="{address}"' in html
    assert 'value="copy"' not in html
    form = client.get(address).context["adminform"].form
    names = ("numbers", "text", "source", "tag", "priority", "send_at", "expires_at")
    assert [form[name].value() for name in names] == [
        "+79135292926", "Первая\nВторая", "8999", "order 7", 9, send_at, expires_at,
    ]  # fmt: skip
    assert (SmsMessage.objects.count(), history()) == (1, [])


def test_copied_form_writes_a_message_of_its_own(client):
    [message] = failed(tag="order 7")
    form = client.get(f"{ADD}?copy={message.pk}").context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields if not name.endswith("_at")}
    assert notices(client.post(ADD, data | {"_save": "yes"}, follow=True)) == [
        "The message is queued."
    ]
    copy = SmsMessage.objects.latest("pk")
    kept = [(m.number, m.text, m.source, m.priority, m.tag) for m in (message, copy)]
    assert kept[0] == kept[1]
    assert (copy.status, copy.guid == message.guid) == ("pending", False)
    assert copy.due_at - database_time() < HOUR
    assert ("anna", str(message), "Copied it into a new message.") in history()


def test_copy_keeps_no_time_that_is_past_and_no_expiry_of_the_settings(client):
    [due], [limited] = failed(), failed(expires_at=soon(HOUR / 2))
    forms = [client.get(f"{ADD}?copy={m.pk}").context["adminform"].form for m in (due, limited)]
    times = [(form["send_at"].value(), form["expires_at"].value()) for form in forms]
    assert times == [(None, None), (None, limited.expires_at)]


@pytest.mark.parametrize("pk", ["0", "9" * 40, "abc", "", "-1", "\0"])
def test_copy_of_no_message_leads_to_the_list(client, pk):
    response = client.get(ADD, {"copy": pk}, follow=True)
    assert (response.redirect_chain, notices(response)) == ([(LIST, 302)], [SKIPPED])


def test_copy_of_a_message_that_may_still_go_out_is_refused(client):
    [message] = write()
    assert notices(client.get(ADD, {"copy": message.pk}, follow=True)) == [SKIPPED]


@pytest.mark.parametrize("lacking", ["view_smsmessage", "view_smsmessage_text", "add_smsmessage"])
def test_form_is_filled_in_only_for_those_who_may_see_texts_and_write(lacking):
    [message] = failed()
    needed = {"view_smsmessage", "view_smsmessage_text", "add_smsmessage", "resend_smsmessage"}
    writer = person(*needed - {lacking}, name="writer")
    assert writer.get(ADD, {"copy": message.pk}).status_code == 403
    if lacking == "add_smsmessage":
        html = writer.get(page(message)).content.decode()
        assert ('value="copy"' in html, "?copy=" in html) == (True, False)


# Many at once


def test_sending_again_asks_with_the_messages_and_their_parts(client, atomic_requests):
    messages = [*failed(2, text="я" * 71, tag="order 7", priority=9), *write()]
    question = ask(client, messages)
    shown = text_of(question)
    assert "Send 2 messages again" in shown
    assert "Messages 2 Total parts 4" in shown
    assert SKIPPED in shown
    assert (SmsMessage.objects.count(), history()) == (3, [])
    assert confirm(client, question) == ["2 new messages are queued."]
    copy = SmsMessage.objects.latest("pk")
    kept = [(m.number, m.text, m.source, m.priority, m.tag) for m in (messages[1], copy)]
    assert kept[0] == kept[1]
    assert (copy.status, copy.guid == messages[1].guid) == ("pending", False)
    assert copy.created_by.username == "anna"
    copied = [("anna", str(m), "Copied it into a new message.") for m in messages[:2]]
    assert sorted(history()) == sorted(copied)


def test_one_message_asks_too_and_leads_back_to_its_page(client):
    [message] = failed()
    data = {"action": "copy", "_selected_action": message.pk, "from_page": "yes"}
    question = client.post(LIST, data)
    assert "Send 1 message again" in text_of(question)
    assert question.context["back"] == page(message)
    response = client.post(LIST, dict(question.context["fields"]), follow=True)
    assert response.redirect_chain == [(page(message), 302)]
    assert notices(response) == ["1 new message is queued."]


def test_messages_keep_the_times_that_are_to_come(client):
    later = database_time() + HOUR
    scheduled, due = write(send_at=later)[0], failed()[0]
    SmsMessage.objects.filter(pk=scheduled.pk).cancel()
    question = ask(client, [scheduled, due])
    assert "1 of them goes out at its own time, which is still to come." in text_of(question)
    confirm(client, question)
    first, second = SmsMessage.objects.order_by("-pk")[:2]
    assert (second.send_at, second.expires_at) == (later, scheduled.expires_at)
    assert first.send_at < later


def test_who_may_not_see_texts_becomes_the_author_of_none():
    [message] = failed()
    sender = person("view_smsmessage", "send_smsmessage", name="sender")
    assert b'value="copy"' not in sender.get(page(message)).content
    assert act(sender, "copy", [message], pks=message.pk) == ["No action selected."]
    assert SmsMessage.objects.count() == 1


def test_confirmed_twice_writes_once_and_asked_anew_again(client):
    messages = failed()
    question = ask(client, messages, submission_id=uuid4())
    confirm(client, question)
    assert confirm(client, question) == [SKIPPED]
    assert SmsMessage.objects.count() == 2
    confirm(client, ask(client, messages, submission_id=uuid4()))
    assert SmsMessage.objects.count() == 3


def test_only_the_messages_that_were_counted_are_sent_again(client):
    question = ask(client, failed(), select_across=1)
    failed(3)
    assert confirm(client, question) == ["1 new message is queued."]


@pytest.mark.parametrize("pks", ["", "abc", "1,", "-1", "9" * 30, "\0"])
def test_wrong_answer_is_a_bad_request(client, pks):
    [message] = failed()
    data = {"action": "copy", "_selected_action": message.pk, "index": 0, "pks": pks}
    assert client.post(LIST, data).status_code == 400
    assert SmsMessage.objects.count() == 1


@pytest.mark.parametrize("submission_id", ["garbage", "\0"])
def test_action_with_a_wrong_token_does_nothing(client, submission_id):
    assert act(client, "copy", failed(), submission_id=submission_id) == ["No action selected."]


def test_message_that_the_rules_refuse_today_is_named_with_the_reason(client, settings):
    stop(["+79135292927"])
    messages = [*failed(), *failed(number="+79029801212"), *failed(number="+79029801213")]
    settings.MOBILON_SMS_NUMBER_PATTERN = r"\+7913\d{7}"
    stop(["+79135292926"])
    not_allowed = (
        "2 messages were not created: Messages are not sent to numbers of this kind. Enter another"
        " number, or ask the administrator to allow them."
    )
    assert confirm(client, ask(client, messages)) == [
        "1 message was not created: This number is on the stop list.",
        not_allowed,
    ]
    assert SmsMessage.objects.count() == 3


def test_no_more_are_sent_again_than_a_person_can_answer_for(client, monkeypatch):
    from django_mobilon_sms.admin.actions import changelist_actions

    monkeypatch.setattr(changelist_actions, "MAX_COPIES", 3)
    question = ask(client, failed(5))
    assert "2 more are left for the next time." in text_of(question)
    assert confirm(client, question) == ["3 new messages are queued."]
    assert SmsMessage.objects.count() == 8
