"""`manage.py check` finds each wrong setting and each unfit database."""

from __future__ import annotations

import math

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.urls import include, path
from django.views.generic import TemplateView

from django_mobilon_sms.conf import database_checks, require_fit, require_valid
from django_mobilon_sms.conf.settings import declared
from django_mobilon_sms.conf.start_checks import setting_problems
from django_mobilon_sms.gateway import MobilonGateway
from django_mobilon_sms.models import SenderPace, SmsMessage
from tests.support.messages import write

pytestmark = pytest.mark.django_db  # Django's own checks ask SQLite whether it knows JSON

# Wrong values of each setting, by the id of its error.
WRONG = {
    ("E001", "BASE_URL"): [
        None,
        5,
        b"https://sms2g.services.mobilon.ru/",
        "",
        "sms2g.services.mobilon.ru",
        "//sms2g.services.mobilon.ru/",
        "http://sms2g.services.mobilon.ru/",
        "http://127.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://10.0.0.1/",
        "ftp://127.0.0.1/",
        "https://user:pass@sms2g.services.mobilon.ru/",
        "https://user@sms2g.services.mobilon.ru/",
        "https://sms2g.services.mobilon.ru/?a=1",
        "https://sms2g.services.mobilon.ru/#a",
        "https:///send/",
        "https://sms2g.services.mobilon.ru:99999/",
        "https://sms2g.services.mobilon.ru:port/",
        "https://[::1/",
        "https://sms2g services/",
        "https://sms2g.services.mobilon.ru/\n",
        f"https://{'a' * 64}.example/",
    ],
    ("E002", "USERNAME"): [None, 5, b"user", "us:er", "user\n", "us\0er", "\ud800"],
    ("E003", "PASSWORD"): [None, 5, b"password", "password\n", "pass\x7fword", "\ud800"],
    ("E004", "SOURCE"): [None, 89234560000, "8923 4560000", "отправитель", "s" * 33, "8923\n"],
    ("E005", "BACKEND"): [
        None,
        "",
        5,
        "MobilonGateway",
        ".MobilonGateway",
        "..MobilonGateway",
        "no_such_module.Gateway",
        "django_mobilon_sms.gateway.NoSuchGateway",
        "django_mobilon_sms.gateway.MAX_OBJECTS",
        MobilonGateway,
    ],
    ("E006", "ENABLED"): [None, 0, 1, "False", "True", ""],
    ("E007", "TIMEOUT"): [None, 0, -1, 601, 10**400, "20", True, math.inf, math.nan],
    ("E008", "BATCH_SIZE"): [None, 0, -1, 101, "100", 1.0, True],
    ("E009", "CONCURRENCY"): [None, 0, -1, 65, "4", 4.0, True],
    ("E010", "LEASE"): [None, 0, -1, 86_401, "300", True, math.inf, math.nan],
    ("E036", "WORKER_SILENCE"): [None, 0, 89, 86_401, "300", True, math.inf, math.nan],
    ("E011", "REFUSED_HTTP_CODES"): [
        None,
        401,
        "401",
        b"401",
        [200],
        [500],
        ["401"],
        [401.0],
        [True],
        {401: "credentials"},
        iter([401]),
    ],
    ("E012", "SEND_REPLIES"): [
        None,
        [0],
        "accepted",
        {0: "sent"},
        {0: None},
        {0: ["accepted"]},
        {"0": "accepted"},
        {False: "accepted"},
        {0.0: "accepted"},
    ],
    ("E013", "STATUS_REPLIES"): [
        None,
        [1],
        {1: "accepted"},
        {1: {}},
        {"1": "sent"},
        {True: "sent"},
    ],
    ("E014", "STATUS_MAX_AGE"): [None, 0, -1, 367 * 86_400, "259200", True, math.inf, math.nan],
    ("E015", "MAX_SEGMENTS"): [None, 0, -1, 256, "10", 10.0, True],
    ("E016", "NUMBER_PATTERN"): [
        None,
        "",
        5,
        rb"\+79\d{9}",
        "(",
        "a{99999999999999999999}",
        r"(?u)\+79\d{9}",
    ],
    ("E022", "FORGET_TEXT_AFTER"): [0, -1, "3600", True, math.inf, math.nan, 367 * 86_400],
    ("E023", "DUPLICATE_WITHIN"): [0, -1, "60", True, math.inf, math.nan, 367 * 86_400],
    ("E024", "RATE"): [
        20,
        "",
        "20",
        "0/m",
        "20/d",
        "20 /m",
        "1000000/s",
        "٢/m",
        ["20/m"],
        {"89234560000": 20},
        {"89234560000": None},
        {"8 923": "20/m"},
        {89234560000: "20/m"},
    ],
    ("E025", "DAILY_LIMIT"): [0, -1, "5000", 1.5, True, 1_000_000, {"*": 0}, {"": 5}],
    ("E026", "QUIET_HOURS"): [
        "",
        "21:00",
        "21-9",
        "9:00-21:00",
        "24:00-09:00",
        "21:60-09:00",
        "21:00-21:00",
        "21:00-09:00 Europe/Moskau",
        "21:00-09:00 Europe",
        "21:00-09:00 /etc/localtime",
        "21:00-09:00 ../UTC",
        ("21:00", "09:00"),
    ],
    ("E027", "LIFETIME"): [0, 59, -1, "3600", True, math.inf, math.nan, 367 * 86_400],
    ("E028", "REST_OWN_MESSAGES_ONLY"): [None, 0, 1, "False", "True", ""],
    ("E029", "HOURLY_PER_NUMBER"): [0, -1, 1001, "10", 10.0, True, math.nan],
    ("E037", "REST_DAILY_SEGMENTS"): [0, -1, 1_000_000, "10", 10.0, True, {"shop": 10}],
    ("E032", "WAKE_UP"): ["", 5, "celery", "django_mobilon_sms.contrib.celery.no_such", print],
    ("E034", "EVENTS"): [30, "", "30", "30 days", "0d", "-1d", "1.5d", "5218w"],
    ("E040", "WEBHOOKS"): ["", [], {"": {}}, {"a b": {}}, {"я": {}}, {"x" * 33: {}}, {"a": "b"}],
}

# Allowed values of each setting, the extreme ones above all.
RIGHT = {
    "BASE_URL": [
        "https://sms2g.services.mobilon.ru",
        "https://sms2g.services.mobilon.ru:8443/v1/",
        "https://смс.рф/",
        "http://127.0.0.1:8000/",
        "http://127.1.2.3/",
        "http://localhost:1/",
        "http://[::1]:8000/",
    ],
    "USERNAME": ["логин", "user name"],
    "PASSWORD": ["pass:word", "пароль", " "],
    "SOURCE": ["8", "MOBILON", "s" * 32],
    "BACKEND": [
        "django_mobilon_sms.testing.ConsoleBackend",
        "django_mobilon_sms.worker.configured_backend.get_backend",
    ],
    "ENABLED": [True, False],
    "TIMEOUT": [0.1, 1, 99.9],
    "BATCH_SIZE": [1, 100],
    "CONCURRENCY": [1, 64],
    "LEASE": [60, 60.5, 86_400],
    "WORKER_SILENCE": [90, 300, 86_400],
    "REFUSED_HTTP_CODES": [[], (), set(), frozenset({400, 499}), range(400, 500)],
    "SEND_REPLIES": [{}, {0: "accepted", -5: "failed"}],
    "STATUS_REPLIES": [{}, {1: "sent", 2: "delivered", 3: "failed"}],
    "STATUS_MAX_AGE": [1, 366 * 86_400],
    "MAX_SEGMENTS": [1, 255],
    "NUMBER_PATTERN": [".*", r"\+\d+"],
    "FORGET_TEXT_AFTER": [None, 1, 0.5, 366 * 86_400],
    "DUPLICATE_WITHIN": [None, 0.5, 60, 366 * 86_400],
    "RATE": [None, "1/s", "20/m", "999999/h", {}, {"89234560000": "10/m", "*": "60/m"}],
    "DAILY_LIMIT": [None, 1, 999_999, {"89234560000": 500, "*": 5000}],
    "QUIET_HOURS": [None, "21:00-09:00", "13:00-14:30 Asia/Yekaterinburg", "00:00-06:00 UTC"],
    "LIFETIME": [None, 60, 366 * 86_400],
    "REST_OWN_MESSAGES_ONLY": [True, False],
    "HOURLY_PER_NUMBER": [None, 1, 10, 1000],
    "REST_DAILY_SEGMENTS": [None, 1, 999_999],
    "WAKE_UP": [None, "django_mobilon_sms.contrib.celery.wake_up"],
    "EVENTS": [None, "30d", "12h", "5214w"],
    "WEBHOOKS": [None, {}],
}


def found() -> list[tuple[str | None, str, str | None]]:
    return [(error.id, error.msg, error.hint) for error in run_checks(tags=["mobilon_sms"])]


@pytest.mark.parametrize(
    ("id_", "name", "value"),
    [(*rule, value) for rule, values in WRONG.items() for value in values],
)
def test_wrong_setting_is_an_error_with_its_id_and_hint(settings, id_, name, value):
    setattr(settings, f"MOBILON_SMS_{name}", value)
    [setting] = [setting for setting in declared() if setting.id == id_]
    text = f"MOBILON_SMS_{name} must be {setting.allowed.words}."
    assert found() == [(f"mobilon_sms.{id_}", text, setting.hint)]
    with pytest.raises(SystemCheckError, match=f"mobilon_sms.{id_}"):
        call_command("check")
    with pytest.raises(ImproperlyConfigured, match=rf"\({id_}\) MOBILON_SMS_{name}"):
        require_valid()


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in RIGHT.items() for value in values]
)
def test_right_setting_is_accepted(settings, name, value):
    setattr(settings, f"MOBILON_SMS_{name}", value)
    assert setting_problems() == []


def test_every_setting_has_cases():
    names = [setting.name.removeprefix("MOBILON_SMS_") for setting in declared()]
    assert list(WRONG) == [(s.id, name) for s, name in zip(declared(), names)]
    assert list(RIGHT) == names


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TIMEOUT", "a number of seconds, over 0 and at most 600"),
        ("LEASE", "a number of seconds, over 0 and at most 86400"),
        ("STATUS_MAX_AGE", "a number of seconds, over 0 and at most 366 days"),
        ("LIFETIME", "a number of seconds, at least 60 and at most 366 days, or None"),
        ("BATCH_SIZE", "a whole number from 1 to 100"),
        ("ENABLED", "True or False"),
        ("STATUS_REPLIES", "a dict from the gateway's code to 'sent', 'delivered' or 'failed'"),
        ("RATE", "a rate like '20/m' (s, m or h), a dict from senders to such values, or None"),
    ],
)
def test_error_says_what_is_allowed(settings, name, words):
    setattr(settings, f"MOBILON_SMS_{name}", object())
    assert [text for _, text, _ in found()] == [f"MOBILON_SMS_{name} must be {words}."]


def test_hint_names_the_default_where_nothing_else_helps(settings):
    settings.MOBILON_SMS_TIMEOUT = "20"
    assert [hint for *_, hint in found()] == ["Remove the setting to use the default, 20."]


def test_settings_of_the_tests_are_right(capsys):
    assert found() == []
    call_command("check")


def test_all_wrong_settings_are_reported_together(settings):
    settings.MOBILON_SMS_TIMEOUT = 0
    settings.MOBILON_SMS_MAX_SEGMENTS = 0
    assert [problem.id for problem in setting_problems()] == ["E007", "E015"]


def test_errors_do_not_show_values(settings):
    settings.MOBILON_SMS_USERNAME = "Zq7:Zq7"
    settings.MOBILON_SMS_PASSWORD = "Zq7Zq7\n"
    settings.MOBILON_SMS_BASE_URL = "https://Zq7:Zq7@sms2g.services.mobilon.ru/"
    with pytest.raises(ImproperlyConfigured) as raised:
        require_valid()
    assert len(found()) == 3
    assert "Zq7" not in f"{found()} {raised.value!r} {setting_problems()}"


@pytest.mark.parametrize(("id_", "name"), [("E017", "USERNAME"), ("E018", "PASSWORD")])
def test_only_the_real_gateway_requires_credentials(settings, id_, name):
    setattr(settings, f"MOBILON_SMS_{name}", "")
    assert found() == [
        (f"mobilon_sms.{id_}", f"MOBILON_SMS_{name} is required.", "The vendor gives it.")
    ]
    settings.MOBILON_SMS_BACKEND = "django_mobilon_sms.testing.MemoryBackend"
    assert found() == []


@pytest.mark.parametrize(("lease", "timeout"), [(59.9, 20), (300, 100.1), (1, 1)])
def test_lease_under_three_timeouts_is_an_error(settings, lease, timeout):
    settings.MOBILON_SMS_LEASE, settings.MOBILON_SMS_TIMEOUT = lease, timeout
    assert found() == [
        (
            "mobilon_sms.E019",
            "MOBILON_SMS_LEASE must be at least three times MOBILON_SMS_TIMEOUT.",
            f"Set it to {3 * timeout:g} or more.",
        )
    ]


def test_lease_of_three_timeouts_is_right(settings):
    settings.MOBILON_SMS_LEASE, settings.MOBILON_SMS_TIMEOUT = 60, 20
    assert found() == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("MOBILON_SMS_BASEURL", "Did you mean MOBILON_SMS_BASE_URL?"),
        ("MOBILON_SMS_USER", "Did you mean MOBILON_SMS_USERNAME?"),
        ("MOBILON_SMS_QQQQQQQQQQQQQQQQQQQQQQQQQQQ", "Remove it."),
    ],
)
def test_unknown_setting_is_an_error(settings, name, hint):
    setattr(settings, name, 1)
    text = f"{name} is not a setting of django_mobilon_sms."
    assert found() == [("mobilon_sms.E020", text, hint)]


def test_use_tz_off_is_an_error(settings):
    settings.USE_TZ = False
    assert [(id_, hint) for id_, _, hint in found()] == [("mobilon_sms.E021", "Set USE_TZ = True.")]


def test_missing_sender_is_a_warning(settings):
    settings.MOBILON_SMS_SOURCE = ""
    assert [id_ for id_, _, _ in found()] == ["mobilon_sms.W001"]
    require_valid()


# Databases


INDEX = TemplateView.as_view()


def test_url_that_the_api_hides_is_a_warning(settings):
    api, shop = include("django_mobilon_sms.rest.urls"), include([path("orders/", INDEX)])
    hidden = "The URL 'api/{}' is never reached: the API at 'api/' answers it first."
    for urls, words in {
        (path("api/", api), path("api/", shop)): [hidden.format("")],
        (path("api/", api), path("shop/", INDEX), path("api/x/", INDEX)): [hidden.format("x/")],
        (path("api/", shop), path("api/", api), path("sms/", shop)): [],
        (path("v1/", include([path("api/", api), path("api/", shop)])),): [hidden.format("")],
        (path("v1/", include([path("api/", api)])), path("api/", shop)): [],
    }.items():
        settings.ROOT_URLCONF = urls
        warnings = run_checks(tags=["urls"])
        assert [(each.id, each.msg) for each in warnings] == [
            ("mobilon_sms.W002", w) for w in words
        ]


def database_ids() -> list[str | None]:
    errors = run_checks(tags=["database"], databases=["default"])
    return [error.id for error in errors if str(error.id).startswith("mobilon_sms.")]


@pytest.mark.databases
@pytest.mark.django_db
def test_database_of_the_tests_is_fit():
    assert database_ids() == []
    require_fit("default")


@pytest.fixture
def mariadb():
    if connection.vendor != "mysql":
        pytest.skip("only MariaDB and MySQL let a session or a column choose")
    with connection.cursor() as cursor:
        yield cursor
        cursor.execute("SET time_zone = '+00:00'")


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_session_in_another_time_zone_is_an_error(mariadb, sandbox, worker):
    write()
    mariadb.execute("SET time_zone = '+07:00'")
    assert database_ids() == ["mobilon_sms.E030"]
    with pytest.raises(CommandError, match=r"^\(E030\) .*default.* UTC.*init_command"):
        worker()
    mariadb.execute("SET time_zone = '+00:00'")
    assert list(SmsMessage.objects.values_list("status")) == [("pending",)]
    assert sandbox.exchanges == []


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_numbers_that_statements_interleave_are_an_error_with_events(
    mariadb, settings, monkeypatch
):
    mode = "@@innodb_autoinc_lock_mode"  # only a restart of the server changes it
    mariadb.execute(f"SELECT {mode}")
    assert mariadb.fetchone() == (1,)
    monkeypatch.setattr(
        database_checks, "_QUESTIONS", database_checks._QUESTIONS.replace(mode, "2")
    )
    assert database_ids() == []
    settings.MOBILON_SMS_EVENTS = "30d"
    assert database_ids() == ["mobilon_sms.E035"]
    with pytest.raises(ImproperlyConfigured, match=r"^\(E035\) .*innodb_autoinc_lock_mode = 1"):
        require_fit("default")


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_texts_in_another_character_set_are_an_error(mariadb):
    alter = (
        f"ALTER TABLE {SmsMessage._meta.db_table} MODIFY text longtext CHARACTER SET %s NOT NULL"
    )
    mariadb.execute(alter % "latin1")
    try:
        assert database_ids() == ["mobilon_sms.E031"]
        with pytest.raises(ImproperlyConfigured, match=r"^\(E031\) .*latin1.*utf8mb4"):
            require_fit("default")
    finally:
        mariadb.execute(alter % "utf8mb4")
    assert database_ids() == []


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_table_without_transactions_is_an_error(mariadb, sandbox, worker):
    write()
    table = SenderPace._meta.db_table  # the others have foreign keys, which need InnoDB
    alter = f"ALTER TABLE {table} ENGINE = %s"
    mariadb.execute(alter % "MyISAM")
    try:
        assert database_ids() == ["mobilon_sms.E033"]
        with pytest.raises(CommandError, match=rf"^\(E033\) .*{table}.*InnoDB"):
            worker()
    finally:
        mariadb.execute(alter % "InnoDB")
    assert database_ids() == []
    assert sandbox.exchanges == []
