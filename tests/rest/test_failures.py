"""REST while the database or the cache fails, or the program does: an answer that says so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.core.signals import got_request_exception
from django.db import connection
from django.views.debug import ExceptionReporter
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed, ErrorDetail, Throttled, ValidationError
from rest_framework.test import APIClient
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle, UserRateThrottle

from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.rest import throttling
from django_mobilon_sms.rest.errors import MEDIA_TYPE, problem, translate
from django_mobilon_sms.rest.messages import MessageViewSet
from django_mobilon_sms.rest.pagination import RowPagination
from tests.support.messages import write
from tests.support.ports import free_port
from tests.support.rest_door import ALL, GOOD, basic, code, login, post, with_password

pytestmark = pytest.mark.django_db

SECRET = "Код Zq4711"


@pytest.fixture
def reported() -> Iterator[list[Any]]:
    """The requests whose failure Django's signal named, as Sentry and others hear of it."""
    heard: list[Any] = []

    def hear(request: Any, **kwargs: Any) -> None:
        heard.append(request)

    got_request_exception.connect(hear)
    yield heard
    got_request_exception.disconnect(hear)


@pytest.fixture
def no_database() -> Iterator[APIClient]:
    """A caller with a password, and a database that no connection reaches any more."""
    caller = basic(with_password(*ALL).username, "secret")
    caller.raise_request_exception = False
    connection.close()
    kept = dict(connection.settings_dict)
    gone = {"NAME": "/no/such/folder/db"}
    if connection.vendor != "sqlite":
        gone = {"HOST": "127.0.0.1", "PORT": str(free_port())}
    connection.settings_dict.update(gone)
    yield caller
    connection.close()
    connection.settings_dict.update(kept)


def requests_logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, bool]]:
    """The level and text of each line about a request, and whether it has a traceback."""
    lines = [record for record in caplog.records if record.name == "django.request"]
    return [(line.levelname, line.getMessage(), bool(line.exc_info)) for line in lines]


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", ["application/json", "text/html"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_database_that_fails_is_503_for_a_while(no_database, reported, caplog, method, page):
    ask = getattr(no_database, method)
    answer = ask("/sms/messages/", GOOD, format="json", HTTP_ACCEPT=page, HTTP_REQUEST_ID="r-7")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Content-Type"] == MEDIA_TYPE
    assert answer.json() == {
        "type": "urn:problem-type:mobilon-sms:unavailable",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The database cannot be used at the moment. Repeat the request later, with the"
        " same guid or Idempotency-Key.",
        "code": "unavailable",
        "errors": [],
        "request_id": "r-7",
    }
    assert [request.path for request in reported] == ["/sms/messages/"]
    line = "Service Unavailable: /sms/messages/ request_id=r-7"
    assert requests_logged(caplog) == [("ERROR", line, True)]


@pytest.mark.django_db(transaction=True)
def test_unknown_address_needs_no_database(no_database):
    assert (no_database.get("/sms/v2/").status_code) == 404


@pytest.mark.parametrize("page", ["application/json", "text/html"])
def test_failure_of_the_program_is_reported_and_its_cause_is_not_shown(
    client, monkeypatch, reported, caplog, page
):
    write(text=SECRET)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(RowPagination, "paginate_queryset", fail)
    with pytest.raises(RuntimeError):  # which the test client raises for the signal
        client.get("/sms/messages/")
    client.raise_request_exception = False
    caplog.clear()
    answer = client.get("/sms/messages/", HTTP_ACCEPT=page, HTTP_REQUEST_ID="r-8")
    assert (answer.status_code, answer["Content-Type"]) == (500, MEDIA_TYPE)
    assert (code(answer), answer.json()["request_id"]) == ("server_error", "r-8")
    assert "Zq4711" not in answer.content.decode()
    assert "RuntimeError" not in answer.content.decode()
    assert len(reported) == 2
    line = "Internal Server Error: /sms/messages/ request_id=r-8"
    assert requests_logged(caplog) == [("ERROR", line, True)]


@pytest.mark.parametrize(
    ("path", "body", "called"),
    [
        ("messages/", GOOD, "messages.write_request.write_many"),
        ("messages/many/", [GOOD], "messages.request_rows._read_value"),
        ("messages/search/", {"number": GOOD["number"]}, "pagination.RowPagination.get_page_size"),
        ("stop-list/", {"numbers": [GOOD["number"]]}, "stop_list.stop"),
        ("stop-list/search/", {"number": GOOD["number"]}, "pagination.RowPagination.get_page_size"),
        ("stop-list/remove/", {"numbers": [GOOD["number"]]}, "stop_list.take_off"),
    ],
)
def test_report_of_a_failure_shows_no_text_and_no_number(monkeypatch, caplog, path, body, called):
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(f"django_mobilon_sms.rest.{called}", fail)
    client = login(*ALL, "view_stoppednumber", "add_stoppednumber", "delete_stoppednumber")
    client.raise_request_exception = False
    assert client.post(f"/sms/{path}", body, format="json").status_code == 500
    [line] = [record for record in caplog.records if record.name == "django.request"]
    kind, error, traceback = cast("Any", line.exc_info)
    report = ExceptionReporter(cast("Any", line).request, kind, error, traceback)
    shown = report.get_traceback_html() + report.get_traceback_text()
    assert "RuntimeError" in shown
    for secret in ("529-29-26", "9135292926", "Ваш заказ готов"):
        assert secret not in shown


def test_error_of_the_client_is_one_line_and_no_failure(client, reported, caplog):
    answer = post(client, GOOD | {"text": ""})
    line = f"Bad Request: /sms/messages/ request_id={answer['Request-Id']}"
    assert (requests_logged(caplog), reported) == ([("WARNING", line, False)], [])


@pytest.mark.parametrize("given", ["x", "7802d99b-3917-41ac-a0b7-52d5d44e6cd3", "a.B_c:9-" * 8])
def test_request_keeps_the_name_that_the_client_gave(client, given):
    answers = [client.get("/sms/messages/", HTTP_REQUEST_ID=given), client.get("/sms/")]
    assert answers[0]["Request-Id"] == given
    assert answers[1]["Request-Id"] == answers[1].json()["request_id"] != given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ё", "a\tb", "a\n", "<b>", '"'])
def test_malformed_name_of_a_request_is_replaced(client, given):
    names = [client.get("/sms/", HTTP_REQUEST_ID=given)["Request-Id"] for _ in range(2)]
    assert all(len(name) == 36 for name in names)
    assert names[0] != names[1]


@pytest.fixture
def no_cache(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that nobody answers for."""
    address = f"redis://127.0.0.1:{free_port()}"
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": address}}
    monkeypatch.setattr(throttling, "skipped", throttling.OncePerMinute())


@pytest.mark.usefixtures("no_cache")
def test_without_the_cache_no_rate_holds_and_that_is_logged_once_a_minute(
    client, settings, caplog, monkeypatch
):
    monkeypatch.setattr(throttling.CreateThrottle, "default_rate", "1/min")
    caplog.set_level(logging.WARNING, "django_mobilon_sms")
    answers = [post(client, GOOD) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert not [answer for answer in answers if "RateLimit" in answer]
    throttling.skipped.next -= 60
    post(client, GOOD)
    names = [answer["Request-Id"] for answer in answers]
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == f"rest.throttles_skipped error=ConnectionError request_id={names[0]}"
    assert len(lines) == 2


@pytest.mark.usefixtures("no_cache")
def test_without_the_cache_the_limits_of_the_database_hold(client, settings):
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 1
    answers = [post(client, GOOD) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 429]
    assert answers[1]["Retry-After"] == "3600"
    assert SmsMessage.objects.count() == 1


def test_rates_are_told_before_they_are_reached(client, settings, monkeypatch):
    rates = {"mobilon_sms_create": "2/min", "user": "100/day"}
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": rates}
    monkeypatch.setattr(MessageViewSet, "throttle_classes", [Daily])
    now = 1_800_000_000.3
    monkeypatch.setattr(SimpleRateThrottle, "timer", staticmethod(lambda: now))
    answers = [post(client, GOOD)]
    now += 10.5
    answers += [post(client, GOOD), post(client, GOOD), client.get("/sms/messages/")]
    daily, own = '"user";q=100;w=86400', '"mobilon_sms_create";q=2;w=60'
    assert [answer["RateLimit-Policy"] for answer in answers] == [f"{daily}, {own}"] * 3 + [daily]
    assert [(answer.status_code, answer["RateLimit"]) for answer in answers] == [
        (201, '"user";r=99;t=86400, "mobilon_sms_create";r=1;t=60'),
        (201, '"user";r=98;t=86390, "mobilon_sms_create";r=0;t=50'),
        (429, '"user";r=97;t=86390, "mobilon_sms_create";r=0;t=50'),
        (200, '"user";r=96;t=86390'),
    ]
    assert answers[2]["Retry-After"] == "50"


class Daily(UserRateThrottle):
    """A throttle of the project."""

    rate = "100/day"


class Closed(BaseThrottle):
    """A throttle of the project that answers by itself."""

    def allow_request(self, request: Any, view: Any) -> bool:
        raise Throttled(wait=9)


def test_throttle_of_the_project_may_raise_what_it_answers(client, monkeypatch):
    monkeypatch.setattr(MessageViewSet, "throttle_classes", [Closed])
    answer = client.get("/sms/messages/")
    assert (answer.status_code, answer["Retry-After"], code(answer)) == (429, "9", "throttled")


def test_address_without_a_rate_has_no_header_of_one(client):
    assert "RateLimit" not in client.get("/sms/messages/")


class WithDetails(BasicAuthentication):
    """An authentication of the project, with error data as simplejwt has it."""

    def authenticate(self, request: Any) -> None:
        token = {"token_type": ErrorDetail("access", "token_type")}
        detail = {"detail": "No such token.", "code": "token_not_valid", "messages": [token]}
        raise AuthenticationFailed(detail, "token_not_valid")


def unhelpful(error: Exception, context: Any) -> None:
    """An EXCEPTION_HANDLER of the project."""
    raise AssertionError


def test_errors_of_the_project_get_the_same_shape(client, settings, monkeypatch):
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": unhelpful}
    monkeypatch.setattr(MessageViewSet, "authentication_classes", [WithDetails])
    answer = client.get("/sms/messages/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Basic realm="api"')
    assert (code(answer), answer.json()["detail"]) == ("token_not_valid", "No such token.")
    assert answer.json()["title"] == "Unauthorized"


class Hung:
    """The body of a client that hung up."""

    def read(self, *args: Any) -> bytes:
        raise ConnectionResetError

    readline = read


def test_client_that_hangs_up_is_no_failure_of_the_server(client, reported):
    body: dict[str, Any] = {"wsgi.input": Hung()}
    json = "application/json"
    answer = client.generic("POST", "/sms/messages/", b"{}", content_type=json, **body)
    assert (answer.status_code, code(answer), reported) == (400, "parse_error", [])


def test_host_that_the_project_does_not_have_is_an_error_of_the_client(client, settings, reported):
    common = "django.middleware.common.CommonMiddleware"  # which would refuse it first
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != common]
    answer = client.get("/sms/messages/", HTTP_HOST="evil.example")
    assert (answer.status_code, code(answer), reported) == (400, "parse_error", [])


def test_nested_error_data_becomes_a_flat_list():
    data = {"a": {"b": ["x", ErrorDetail("y", "own")]}, "c": [["z"]], "d": []}
    body = problem(translate(ValidationError(data)), request_id="r")
    assert [(one["field"], one["code"], one["message"]) for one in body["errors"]] == [
        ("b", "invalid", "x"),
        ("b", "own", "y"),
        ("c", "invalid", "z"),
    ]
    assert (body["code"], body["status"]) == ("validation_error", 400)
    assert problem(translate(ValidationError([])), request_id="r")["errors"] == []
