from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from django_mobilon_sms.sandbox import Sandbox

GUID = "7802d99b-3917-81ac-e0b7-52d5d44e6cd3"


def send(sandbox: Sandbox, *texts: str, **changes: str) -> None:
    usual = {"guid": GUID, "number": "89135290000", "source": "89234560000", **changes}
    objects = [{**usual, "text": text} for text in texts]
    requests.post(sandbox.url + "send/", json=objects, auth=("sandbox", "sandbox"), timeout=30)


def page(sandbox: Sandbox) -> str:
    reply = requests.get(sandbox.url, timeout=30)
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return reply.text


def set_fault(sandbox: Sandbox, asked: object) -> requests.Response:
    return requests.post(sandbox.url + "faults/", json=asked, timeout=30)


def texts(html: str) -> list[str]:
    return re.findall(r'<td class="text" dir="auto">(.*?)</td>', html, re.DOTALL)


def test_the_empty_page_says_what_to_do(sandbox: Sandbox) -> None:
    html = page(sandbox)
    assert "<p>0 messages · 0 requests</p>" in html
    assert "Nothing has come in yet. Point <code>MOBILON_SMS_BASE_URL</code>" in html
    assert "<table>" not in html


def test_the_page_shows_messages_newest_first_with_counts(sandbox: Sandbox) -> None:
    send(sandbox, "первое", "второе")
    send(sandbox, "третье", guid="other")
    html = page(sandbox)
    assert texts(html) == ["третье", "второе", "первое"]
    assert "<p>3 messages · 2 requests</p>" in html
    assert html.count("accepted 2 times") == 2


def test_the_page_escapes_everything_received(sandbox: Sandbox) -> None:
    evil = "<script>alert('&\"')</script>"
    send(sandbox, evil, guid=evil, source=evil)
    assert "<script" not in page(sandbox)
    assert texts(page(sandbox)) == ["&lt;script&gt;alert(&#x27;&amp;&quot;&#x27;)&lt;/script&gt;"]


def test_the_page_shows_the_newest_five_hundred(sandbox: Sandbox) -> None:
    for first in range(0, 501, 100):
        send(sandbox, *(str(number) for number in range(first, min(first + 100, 501))))
    html = page(sandbox)
    assert texts(html) == [str(number) for number in range(500, 0, -1)]
    assert "<p>501 messages · the newest 500 shown · 6 requests</p>" in html


def test_the_page_loads_nothing_from_elsewhere(sandbox: Sandbox) -> None:
    send(sandbox, "привет")
    reply = requests.get(sandbox.url, timeout=30)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert reply.headers["Content-Security-Policy"] == policy
    assert re.findall("(?:src|href)=|https?://", reply.text) == []


def test_the_page_shows_the_faults_that_may_strike(sandbox: Sandbox) -> None:
    sandbox.fault("http_500", times=3)
    sandbox.fault("hang", rate=0.25, path="/status/")
    shown = "faults: http_500 on /send/ (3 times), hang on /status/ (25%)"
    assert shown in page(sandbox)


def test_other_processes_can_ask_what_was_received(sandbox: Sandbox) -> None:
    assert requests.get(sandbox.url + "messages.json", timeout=30).json() == []
    send(sandbox, "привет")
    (received,) = sandbox.messages
    assert requests.get(sandbox.url + "messages.json", timeout=30).json() == [
        {
            "guid": GUID,
            "text": "привет",
            "number": "89135290000",
            "source": "89234560000",
            "id": received.id,
            "at": received.at,
        }
    ]


def test_requests_to_the_pages_are_not_recorded(sandbox: Sandbox) -> None:
    page(sandbox)
    set_fault(sandbox, {"name": "hang"})
    assert sandbox.exchanges == []


def test_other_processes_can_set_and_clear_faults(sandbox: Sandbox) -> None:
    asked: dict[str, Any] = {"name": "http_503", "times": 2, "headers": {"Retry-After": "7"}}
    fault = {"name": "http_503", "path": "/send/", "times": 2, "rate": None}
    assert set_fault(sandbox, asked).json() == [fault]
    send(sandbox, "привет")
    assert [exchange.code for exchange in sandbox.exchanges] == [503]
    assert sandbox.faults == [{**fault, "times": 1}]
    assert requests.delete(sandbox.url + "faults/", timeout=30).json() == sandbox.faults == []


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"name": "gremlin"}, "No fault is called 'gremlin'. There are: bad_chunk, bad_date,"),
        ({"name": "hang", "times": 1, "rate": 0.5}, "times and rate exclude each other"),
        ({"name": "hang", "path": "/faults/"}, "path must be one of /send/, /status/."),
        ({"times": 1}, "Sandbox.fault() missing 1 required positional argument: 'name'"),
        (
            [],
            "django_mobilon_sms.sandbox.gateway.Sandbox.fault() argument after ** must be a"
            " mapping",
        ),
    ],
)
def test_a_wrong_fault_is_refused_with_a_sentence(
    sandbox: Sandbox, asked: object, error: str
) -> None:
    reply = set_fault(sandbox, asked)
    assert (reply.status_code, reply.json()["error"][: len(error)]) == (400, error)
    assert sandbox.faults == []


def test_a_form_of_another_site_cannot_set_a_fault(sandbox: Sandbox) -> None:
    reply = requests.post(sandbox.url + "faults/", data='{"name": "hang"}', timeout=30)
    assert (reply.status_code, sandbox.faults) == (415, [])
