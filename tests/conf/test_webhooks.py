"""`manage.py check` names what is wrong with a consumer of webhooks, and quotes no secret."""

from __future__ import annotations

import base64

import pytest

from django_mobilon_sms.conf import configured_webhooks
from django_mobilon_sms.conf.start_checks import setting_problems

SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 64).decode()
SHOP = {"URL": "https://shop.example/sms/", "SECRET": SECRET}


@pytest.fixture(autouse=True)
def _events(settings):
    settings.MOBILON_SMS_EVENTS = "30d"


def found(settings, **values):
    settings.MOBILON_SMS_WEBHOOKS = {"shop": SHOP | values}
    return [(problem.id, problem.message) for problem in setting_problems()]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"URL": "http://127.0.0.1:8000/hook"},
        {"SECRET": [SECRET, OTHER]},
        {"SECRET": (SECRET,)},
        {"EVENTS": ["message.sent"]},
        {"EVENTS": {"message.sent", "message.failed"}},
    ],
)
def test_right_consumer_is_accepted(settings, values):
    assert found(settings, **values) == []


@pytest.mark.parametrize("values", ["https://shop.example/", 5, None, ["URL"]])
def test_consumer_that_is_no_dict_is_left_out(settings, values):
    settings.MOBILON_SMS_WEBHOOKS = {"shop": values, 5: {"URL": "https://shop.example/"}}
    assert configured_webhooks() == {}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"URL": None}, "['URL'] is not an address that events can be sent to."),
        ({"URL": "http://shop.example/"}, "['URL'] is not an address that events can be sent to."),
        ({"URL": "https://a:b@shop.example/"}, "['URL'] is not an address"),
        ({"SECRET": None}, "['SECRET'] is not a Standard Webhooks secret."),
        ({"SECRET": []}, "['SECRET'] is not"),
        ({"SECRET": SECRET[6:]}, "['SECRET'] is not"),
        ({"SECRET": f"{SECRET}!"}, "['SECRET'] is not"),
        ({"SECRET": "whsec_Zq7Zq7"}, "['SECRET'] is not"),
        ({"SECRET": [SECRET, "Zq7"]}, "['SECRET'] is not"),
        ({"EVENTS": []}, "['EVENTS'] is not a list of types."),
        ({"EVENTS": "message.sent"}, "['EVENTS'] is not a list of types."),
        ({"EVENTS": ["message.sent", "message.lost"]}, "['EVENTS'] has the unknown type"),
        ({"EVENTS": [["message.sent"]]}, "['EVENTS'] has the unknown type"),
        ({"TIMEOUT": 5}, " has the unknown key 'TIMEOUT'."),
    ],
)
def test_wrong_value_is_named_with_its_consumer(settings, values, words):
    [(id_, message)] = found(settings, **values)
    assert configured_webhooks() == {}
    assert id_ == "E041"
    assert message.startswith(f"MOBILON_SMS_WEBHOOKS['shop']{words}")
    assert "Zq7" not in message


def test_webhooks_without_events_are_an_error(settings):
    settings.MOBILON_SMS_EVENTS = None
    text = "MOBILON_SMS_WEBHOOKS delivers events, and MOBILON_SMS_EVENTS writes none."
    assert found(settings) == [("E043", text)]


def test_missing_package_is_an_error(settings, monkeypatch):
    monkeypatch.setattr("django_mobilon_sms.conf.webhooks.find_spec", lambda name: None)
    text = "MOBILON_SMS_WEBHOOKS needs the package standardwebhooks."
    assert found(settings) == [("E042", text)]


def test_consumer_shows_no_secret(settings):
    settings.MOBILON_SMS_WEBHOOKS = {"shop": SHOP}
    webhooks = configured_webhooks()
    assert repr(webhooks) == "{'shop': <Webhook shop>}"
    assert len(webhooks["shop"].types) == 9
