"""The adapter alone, against real sockets; no Django, no database."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import traceback
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import trustme

from django_mobilon_sms.exceptions import GatewayError, NeverLeft, OutcomeUnknown, Refused
from django_mobilon_sms.gateway import MobilonGateway, OutgoingMessage, SendResult, StatusReport
from django_mobilon_sms.gateway.reply_parser import parse, send_results, status_reports
from django_mobilon_sms.sandbox import Sandbox
from tests.support.broken_replies import BROKEN_REPLIES
from tests.support.ports import PATIENT, free_port, full_port, https

ROOT = Path(__file__).parents[2]
GUID = UUID("7802d99b-3917-41ac-a0b7-52d5d44e6cd3")


@pytest.fixture
def sandbox():
    with Sandbox(faults=BROKEN_REPLIES) as server:
        yield server


def gateway(url, *, username="sandbox", password="sandbox", timeout=PATIENT, **options):
    return MobilonGateway(url, username, password, timeout, **options)


def message(**fields):
    filled = {"number": "89135292926", "text": "Ваш заказ готов", "source": "89234560000"}
    return OutgoingMessage(**{"guid": uuid4()} | filled | fields)


def failure(url, **options) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        gateway(url, **options).send([message()])
    return raised.value


def test_client_needs_no_django():
    code = "import sys; sys.modules['django'] = None; import django_mobilon_sms.gateway.client"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# Requests


def test_request_is_as_the_vendor_documents_it(sandbox):
    gateway(sandbox.url).send([message(guid=GUID), message(text="a\n«b» 🎄")])
    [heard] = sandbox.exchanges
    assert (heard.method, heard.path) == ("POST", "/send/")
    first, second = json.loads(heard.body)
    assert first == {
        "guid": "7802d99b-3917-41ac-a0b7-52d5d44e6cd3",
        "text": "Ваш заказ готов",
        "number": "89135292926",
        "source": "89234560000",
    }
    assert second["text"] == "a\n«b» 🎄"
    token = base64.b64encode(b"sandbox:sandbox").decode()
    names = ("Content-Type", "Authorization", "Accept-Encoding", "Connection")
    assert [heard.headers[name] for name in names] == [
        "application/json",
        f"Basic {token}",
        "identity",
        "close",
    ]


def test_address_may_have_a_path_and_no_final_slash(sandbox):
    assert gateway(sandbox.url.rstrip("/")).send([message(guid=GUID)])
    assert failure(sandbox.url + "v1").http_code == 404
    assert [heard.path for heard in sandbox.exchanges] == ["/send/", "/v1/send/"]


@pytest.mark.parametrize(
    ("username", "password"), [("логин", "пароль №1"), ("user", "a:b:c"), ("user name", "")]
)
def test_credentials_arrive_in_utf_8(username, password):
    with Sandbox(username=username, password=password) as server:
        gateway(server.url, username=username, password=password).send([message()])
        assert server.exchanges[0].code == 200


def test_environment_is_ignored(sandbox, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password eve\ndefault login eve password eve\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Sandbox() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        client = gateway(sandbox.url)
        [result] = client.send([message()])
        client.status([result.id])
        assert proxy.exchanges == []
    eve = base64.b64encode(b"eve:eve").decode()
    assert [heard.code for heard in sandbox.exchanges] == [200, 200]
    assert all(eve not in str(heard.headers) for heard in sandbox.exchanges)


@pytest.mark.parametrize("count", [0, 101])
def test_wrong_number_of_objects_is_an_error_before_the_network(sandbox, count):
    with pytest.raises(ValueError, match=f"1 to 100 objects, not {count}"):
        gateway(sandbox.url).send([message() for _ in range(count)])
    with pytest.raises(ValueError, match=f"1 to 100 objects, not {count}"):
        gateway(sandbox.url).status([f"{n}" for n in range(count)])
    assert sandbox.exchanges == []


def test_object_given_twice_is_an_error_before_the_network(sandbox):
    with pytest.raises(ValueError, match="guid is given twice"):
        gateway(sandbox.url).send([message(guid=GUID), message(guid=UUID(str(GUID).upper()))])
    with pytest.raises(ValueError, match="id is given twice"):
        gateway(sandbox.url).status(["a", "b", "a"])
    assert sandbox.exchanges == []


def test_a_hundred_objects_go_in_one_request(sandbox):
    messages = [message() for _ in range(100)]
    results = gateway(sandbox.url).send(messages)
    assert [(r.guid, r.status) for r in results] == [(m.guid, 0) for m in messages]
    reports = gateway(sandbox.url).status([r.id for r in results])
    assert [(r.id, r.status, r.guid) for r in reports] == [(r.id, 1, r.guid) for r in results]
    assert [len(heard.objects) for heard in sandbox.exchanges] == [100, 100]


def test_redirect_is_not_followed(sandbox):
    with Sandbox() as other:
        sandbox.fault("http", code=307, headers={"Location": other.url + "send/"})
        error = failure(sandbox.url)
        assert other.exchanges == []
    assert (type(error), error.code, error.http_code) == (OutcomeUnknown, "redirect", 307)


# Secrets

SECRETS = ("Zq7login", "Zq7password", "Zq7text", "89135292926", "Zq7source")


@pytest.mark.parametrize(
    "fault",
    [
        None,
        "http_401",
        "http_500",
        "http_307",
        "reset_after_read",
        "close_after_read",
        "cut_body",
        "not_json",
        "duplicate_keys",
        "not_http",
        "bad_chunk",
        "extra_keys",
    ],
)
def test_no_credential_text_or_number_is_shown(fault, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    outgoing = message(text="Zq7text", source="Zq7source")
    credentials = {"username": "Zq7login", "password": "Zq7password"}
    with Sandbox(**credentials, faults=BROKEN_REPLIES) as server:
        client = gateway(server.url, **credentials)
        shown = [repr(outgoing), str(outgoing), repr(client), repr([outgoing])]
        if fault:
            server.fault(fault)
        try:
            shown.append(repr(client.send([outgoing])))
        except GatewayError as error:
            shown += [str(error), repr(error), "".join(traceback.format_exception(error))]
    everything = "\n".join([*shown, caplog.text, *capfd.readouterr()])
    assert [secret for secret in SECRETS if secret in everything] == []
    token = base64.b64encode(b"Zq7login:Zq7password").decode()
    assert token not in everything


# NeverLeft


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "/send",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://",
        "http://:80/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:port/",
        "http://[::1/",
        f"http://{'a' * 64}.example/",
        f"http://{'я' * 70}.example/",
        "http://.example/",
        "http://*.example/",
    ],
)
def test_unusable_address_proves_that_nothing_left(address):
    error = failure(address)
    assert (type(error), error.code) == (NeverLeft, "request")


def test_lone_surrogate_is_sent_as_a_json_escape(sandbox):
    with pytest.raises(Refused):
        gateway(sandbox.url).send([message(text="\ud800")])
    assert rb"\ud800" in sandbox.exchanges[0].body


def test_refused_connection_proves_that_nothing_left():
    error = failure(f"http://127.0.0.1:{free_port()}/")
    assert (type(error), error.code, str(error)) == (NeverLeft, "connection", "connection")


def test_unknown_host_proves_that_nothing_left():
    error = failure("http://nobody.invalid/")
    assert (type(error), error.code) == (NeverLeft, "connection")


def test_timeout_while_connecting_proves_that_nothing_left():
    with full_port() as port:
        error = failure(f"http://127.0.0.1:{port}/", timeout=0.5)
    assert (type(error), error.code) == (NeverLeft, "connection")


# TLS


def test_trusted_certificate_is_accepted(authority):
    with https(authority.issue_cert("127.0.0.1")) as (url, heard):
        assert [result.status for result in gateway(url).send([message()])] == [0]
    assert b"".join(heard).startswith(b"POST /send/ HTTP/1.1\r\n")


def test_certificate_of_an_unknown_authority_proves_that_nothing_left(monkeypatch, tmp_path):
    strange = trustme.CA()
    strange.cert_pem.write_to_path(str(tmp_path / "strange.pem"))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "strange.pem"))
    with https(strange.issue_cert("127.0.0.1")) as (url, heard):
        error = failure(url)
    assert (type(error), error.code, heard) == (NeverLeft, "certificate", [])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("other.example", {}),
        ("127.0.0.1", {"not_after": datetime(2020, 1, 2, tzinfo=timezone.utc)}),
    ],
)
def test_certificate_for_another_host_or_time_proves_that_nothing_left(authority, name, options):
    if options:
        options = options | {"not_before": datetime(2020, 1, 1, tzinfo=timezone.utc)}
    with https(authority.issue_cert(name, **options)) as (url, heard):
        error = failure(url)
    assert (type(error), error.code, heard) == (NeverLeft, "certificate", [])


def test_connection_closed_in_the_handshake_proves_that_nothing_left():
    with https(None) as (url, _):
        error = failure(url)
    assert (type(error), error.code) == (NeverLeft, "connection")


def test_plain_server_under_an_https_address_proves_that_nothing_left(sandbox):
    error = failure(sandbox.url.replace("http:", "https:"))
    assert (type(error), error.code) == (NeverLeft, "connection")


# Refused


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (401, "credentials"),
        (407, "credentials"),
        (402, "payment"),
        (429, "rate_limited"),
        (403, "http_refused"),
        (413, "http_refused"),
        (400, "rejected"),
        (422, "rejected"),
    ],
)
def test_refusal_has_a_name(sandbox, code, name):
    sandbox.fault("http", code=code)
    error = failure(sandbox.url)
    assert (type(error), error.code, error.http_code) == (Refused, name, code)
    assert str(error) == f"{name} (HTTP {code})"


@pytest.mark.parametrize("code", [400, 401, 422, 429])
def test_no_code_is_a_refusal_if_the_setting_is_empty(sandbox, code):
    sandbox.fault("http", code=code)
    error = failure(sandbox.url, refused_http_codes=())
    assert (type(error), error.code) == (OutcomeUnknown, "http_error")


def test_bad_request_with_several_messages_is_not_a_refusal(sandbox):
    sandbox.fault("http", code=400)
    with pytest.raises(OutcomeUnknown):
        gateway(sandbox.url).send([message(), message()])


def test_retry_after_may_be_a_date(sandbox):
    later = datetime.now(timezone.utc) + timedelta(minutes=10)
    sandbox.fault("http", code=429, headers={"Retry-After": format_datetime(later, usegmt=True)})
    wait = failure(sandbox.url).retry_after
    assert 0 < wait <= 600


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-1",
        "1.5",
        "nan",
        "1e3",
        "9999999999",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00",
        "Wed, 99 Oct 2015 07:28:00 GMT",
        "Fri, 31 Dec 99999 23:59:59 GMT",
    ],
)
def test_unreadable_retry_after_is_ignored(sandbox, value):
    sandbox.fault("http", code=429, headers={"Retry-After": value})
    assert failure(sandbox.url).retry_after is None


# OutcomeUnknown


@pytest.mark.parametrize("fault", ["hang", "drip_body", "late"])
def test_answer_after_the_timeout_proves_nothing(sandbox, fault):
    sandbox.fault(fault, **({"seconds": 30} if fault == "late" else {}))
    error = failure(sandbox.url, timeout=0.5)
    assert (type(error), error.code) == (OutcomeUnknown, "timeout")


def test_broken_connection_is_not_tried_again(sandbox):
    sandbox.fault("reset_after_read", times=5)
    assert failure(sandbox.url).code == "broken"
    assert len(sandbox.posts) == 1


# Replies

BAD = [
    b"",
    b" ",
    b"null",
    b"{}",
    b'"[]"',
    b"0",
    b"[",
    b"[]]",
    b"[] []",
    b"[1,]",
    b"[NaN]",
    b"[Infinity]",
    b"[-Infinity]",
    b'[{"a": 1, "a": 1}]',
    b'[[{"a": {"b": 1, "b": 2}}]]',
    b"[\xff]",
    b'["\xd0"]',
    '["привет"]'.encode("cp1251"),
    "[]".encode("utf-16"),
    b"[" * 100_000 + b"]" * 100_000,
    b"[" + b"9" * 100_000 + b"]",
    b"['a']",
    b"\x1f\x8b[]",
    b"<html>[]</html>",
]


@pytest.mark.parametrize("body", BAD, ids=lambda body: repr(body[:20]))
def test_body_other_than_a_strict_json_array_is_a_bad_reply(body):
    with pytest.raises(OutcomeUnknown) as raised:
        parse(body, 200)
    assert (raised.value.code, raised.value.http_code) == ("bad_reply", 200)
    error = raised.value
    assert error.__suppress_context__ or error.__context__ is None  # it could quote the reply


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[]", []),
        (b"\xef\xbb\xbf [ ]\r\n", []),
        ('[{"a": "привет"}]'.encode(), [{"a": "привет"}]),
        (b'[{"a": {"a": 1}}, 1.5, null]', [{"a": {"a": 1}}, 1.5, None]),
    ],
)
def test_strict_json_array_is_read(body, value):
    assert parse(body, 200) == value


@pytest.mark.parametrize(
    "written",
    [
        str(GUID),
        str(GUID).upper(),
        GUID.hex,
        f"{{{GUID}}}",
        f"urn:uuid:{GUID}",
    ],
)
def test_guid_is_compared_as_a_uuid(written):
    reply = [{"status": 0, "guid": written, "id": "a"}]
    assert list(send_results(reply, {GUID})) == [SendResult(GUID, 0, "a")]


@pytest.mark.parametrize(
    "item",
    [
        None,
        1,
        "text",
        [],
        [{"status": 0, "guid": str(GUID), "id": "a"}],
        {},
        {"status": 0, "id": "a"},
        {"status": 0, "guid": None, "id": "a"},
        {"status": 0, "guid": 7, "id": "a"},
        {"status": 0, "guid": [str(GUID)], "id": "a"},
        {"status": 0, "guid": str(uuid4()), "id": "a"},
        {"status": 0, "guid": f"{GUID}0", "id": "a"},
        {"status": 0, "guid": "", "id": "a"},
    ],
)
def test_object_without_a_guid_of_the_request_is_skipped(item):
    assert list(send_results([item], {GUID})) == []


NOTHING = SendResult(GUID, None, None)


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"status": 0, "id": "58adc4b8"}, SendResult(GUID, 0, "58adc4b8")),
        ({"status": -1, "id": " ~" + "x" * 62}, SendResult(GUID, -1, " ~" + "x" * 62)),
        ({"status": 7}, SendResult(GUID, 7, "")),
        ({"status": 7, "id": ""}, SendResult(GUID, 7, "")),
        ({"status": 7, "id": None}, SendResult(GUID, 7, "")),
        ({"status": 0, "id": 58}, NOTHING),
        ({"status": 0, "id": True}, NOTHING),
        ({"status": 0, "id": []}, NOTHING),
        ({"status": 0, "id": "x" * 65}, NOTHING),
        ({"status": 0, "id": "ид"}, NOTHING),
        ({"status": 0, "id": "a\n"}, NOTHING),
        ({"status": 0, "id": "a\0"}, NOTHING),
        ({"id": "a"}, NOTHING),
        ({"status": None, "id": "a"}, NOTHING),
        ({"status": "0", "id": "a"}, NOTHING),
        ({"status": 0.0, "id": "a"}, NOTHING),
        ({"status": True, "id": "a"}, NOTHING),
        ({"status": False, "id": "a"}, NOTHING),
        ({"status": 2**31, "id": "a"}, NOTHING),
        ({"status": 2**31 - 1, "id": "a"}, SendResult(GUID, 2**31 - 1, "a")),
        ({"status": -(2**31), "id": "a"}, SendResult(GUID, -(2**31), "a")),
        ({"status": [], "id": "a"}, NOTHING),
    ],
)
def test_value_of_a_wrong_type_proves_nothing(fields, result):
    assert list(send_results([fields | {"guid": str(GUID)}], {GUID})) == [result]


def test_results_keep_the_replys_order_and_may_share_a_guid():
    other = uuid4()
    reply = [
        {"guid": str(other), "status": 0, "id": "2", "extra": {}},
        {"guid": str(uuid4()), "status": 0, "id": "3"},
        {"guid": str(GUID), "status": 0, "id": "1"},
        {"guid": str(other), "status": 5},
    ]
    assert list(send_results(reply, {GUID, other})) == [
        SendResult(other, 0, "2"),
        SendResult(GUID, 0, "1"),
        SendResult(other, 5, ""),
    ]


# Statuses

SENT_AT = "2017-02-22T16:57:24.705Z"


def reported(**fields):
    filled = {"id": "a", "status": 1, "guid": str(GUID), "dateTimeSent": SENT_AT}
    return list(status_reports([filled | fields], {"a"}))


def test_report_is_read():
    moment = datetime(2017, 2, 22, 16, 57, 24, 705000, tzinfo=timezone.utc)
    assert reported() == [StatusReport("a", 1, GUID, moment)]
    assert reported(guid=None, dateTimeSent=None) == [StatusReport("a", 1, None, None)]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "b"},
        {"id": ""},
        {"id": None},
        {"id": 5},
        {"id": ["a"]},
        {"status": None},
        {"status": "1"},
        {"status": True},
        {"status": 1.0},
        {"status": 2**31},
        {"guid": "nonsense"},
        {"guid": ""},
        {"guid": 5},
    ],
)
def test_invalid_report_is_skipped(fields):
    assert reported(**fields) == []


@pytest.mark.parametrize("item", [None, 1, "a", [], ["a"], {}])
def test_report_that_is_not_an_object_is_skipped(item):
    assert list(status_reports([item], {"a"})) == []


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2017-02-22T16:57:24Z", datetime(2017, 2, 22, 16, 57, 24, tzinfo=timezone.utc)),
        ("2017-02-22T23:57:24+07:00", datetime(2017, 2, 22, 16, 57, 24, tzinfo=timezone.utc)),
        (
            "2017-02-22T16:57:24.000001Z",
            datetime(2017, 2, 22, 16, 57, 24, 1, tzinfo=timezone.utc),
        ),
        ("2017-02-22T16:57:24", None),
        ("2017-02-22", None),
        ("2017-02-30T00:00:00Z", None),
        ("2017-02-22T25:00:00Z", None),
        ("2017-02-22T16:57:24+99:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("２017-02-22T16:57:24Z", None),
        ("2017-02-22T16:57:24Z\n", None),
        ("", None),
        (1487782644, None),
        (True, None),
        ([], None),
        ({}, None),
    ],
)
def test_time_is_read_in_utc_or_not_at_all(written, moment):
    assert reported(dateTimeSent=written) == [StatusReport("a", 1, GUID, moment)]


def test_statuses_are_queried_by_id(sandbox):
    sandbox.set_status("a", 1, SENT_AT, guid=str(GUID))
    sandbox.set_status("b", 42, date=None)
    moment = datetime(2017, 2, 22, 16, 57, 24, 705000, tzinfo=timezone.utc)
    client = gateway(sandbox.url)
    assert client.status(["a", "b", "unknown"]) == [
        StatusReport("a", 1, GUID, moment),
        StatusReport("b", 42, None, None),
    ]
    [heard] = sandbox.exchanges
    assert (heard.path, heard.objects) == (
        "/status/",
        [{"id": "a"}, {"id": "b"}, {"id": "unknown"}],
    )
    assert heard.headers["Connection"] == "keep-alive"
    sandbox.fault("strangers", path="/status/")
    assert [report.id for report in client.status(["a"])] == ["a"]


def test_status_requests_fail_with_the_same_errors(sandbox):
    client = gateway(sandbox.url)
    for fault, kind in [
        ("http_401", Refused),
        ("http_500", OutcomeUnknown),
        ("nan", OutcomeUnknown),
    ]:
        sandbox.set_status("a", 1)
        sandbox.fault(fault, path="/status/")
        with pytest.raises(kind):
            client.status(["a"])
