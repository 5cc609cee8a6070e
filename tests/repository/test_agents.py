"""AGENTS.md: ten rules, each with an example that works and one that shows the harm."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from django_mobilon_sms.choices import Status
from django_mobilon_sms.exceptions import MessageIsWritten
from django_mobilon_sms.models import SmsMessage
from tests.support.documents import ROOT
from tests.support.messages import write

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("kept_receivers")]

RULES = (ROOT / "AGENTS.md").read_text(encoding="utf-8").split("\n## ")[1:]


class Order:
    """What the examples have: a row with a phone number, which may fail to be saved."""

    pk = 1024
    phone = "+79135292926"
    broken = False

    def save(self) -> None:
        if self.broken:
            raise RuntimeError("no such customer")


def example(number: int, kind: str) -> str:
    """Return the code of a rule after "Right:" or "Wrong:"."""
    [code] = re.findall(rf"^{kind}:\n\n```python\n(.*?)^```$", RULES[number - 1], re.M | re.S)
    return str(code)


def run(number: int, kind: str, **names: Any) -> dict[str, Any]:
    names = {"order": Order(), **names}
    exec(compile(example(number, kind), f"AGENTS.md, rule {number}, {kind}", "exec"), names)
    return names


def texts() -> list[str]:
    return list(SmsMessage.objects.order_by("id").values_list("text", flat=True))


def test_there_are_ten_rules_with_two_examples_each():
    assert [rule.partition(".")[0] for rule in RULES] == [str(n) for n in range(1, 11)]
    for number in range(1, 11):
        assert example(number, "Right") != example(number, "Wrong")


@pytest.mark.parametrize("number", range(1, 11))
def test_right_example_works(number):
    run(number, "Right")
    assert SmsMessage.objects.count() == (0 if number in (5, 8, 9) else 1)


def test_1_a_row_that_is_saved_raises():
    write()
    with pytest.raises(MessageIsWritten):
        run(1, "Wrong")


@pytest.mark.parametrize(("kind", "written"), [("Right", 0), ("Wrong", 1)])
def test_2_only_a_transaction_takes_the_message_back(kind, written):
    order = Order()
    order.broken = True
    with pytest.raises(RuntimeError):
        run(2, kind, order=order)
    assert SmsMessage.objects.count() == written


def test_3_without_a_guid_a_repetition_writes_twice():
    run(3, "Wrong")
    assert len(texts()) == 2


def test_4_the_gateway_is_not_public():
    public = (ROOT / "docs/reference/python.rst").read_text(encoding="utf-8")
    run(4, "Wrong")
    assert "MobilonGateway" not in public


def test_5_writing_unknown_messages_again_sends_them_twice():
    write()
    SmsMessage.objects.filter(status=Status.PENDING).hold("held")
    run(5, "Wrong")
    assert len(set(texts())) == 1
    assert len(texts()) == 2


@pytest.mark.parametrize(("kind", "careful"), [("Right", True), ("Wrong", False)])
def test_6_only_a_careful_code_is_forgotten_and_expires(kind, careful):
    run(6, kind)
    [message] = SmsMessage.objects.all()
    assert (message.sensitive, message.expires_at is not None) == (careful, careful)


@pytest.mark.parametrize(("kind", "secret"), [("Right", False), ("Wrong", True)])
def test_7_the_log_holds_no_secret_on_the_right_way(kind, secret, caplog):
    run(7, kind)
    assert ("4821" in caplog.text, Order.phone in caplog.text) == (secret, secret)


def test_8_a_worker_waits_for_a_receiver(monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)  # 30 seconds would only slow the test
    keep = run(8, "Right"), run(8, "Wrong")  # the signal holds receivers weakly
    [message] = write()
    SmsMessage.objects.all().cancel()
    assert (keep[0]["changes"], waits) == ([(message.guid, "cancelled")], [30])


def test_9_a_bare_except_hides_what_is_wrong():
    run(9, "Wrong")
    code = example(9, "Wrong").replace("except Exception:", "except RuntimeError:")
    with pytest.raises(ValidationError):
        exec(code, {})


def test_10_a_mock_checks_nothing():
    run(10, "Wrong")
    assert texts() == []
