"""Settings are read at the moment of use, and not at import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import override_settings

from django_mobilon_sms.conf import conf
from django_mobilon_sms.conf.settings import declared
from django_mobilon_sms.exceptions import Refused
from django_mobilon_sms.gateway import OutgoingMessage
from django_mobilon_sms.worker.configured_backend import get_backend

ROOT = Path(__file__).parents[2]

DEFAULTS = {
    "BASE_URL": "https://sms2g.services.mobilon.ru/",
    "USERNAME": "",
    "PASSWORD": "",
    "SOURCE": "",
    "BACKEND": "django_mobilon_sms.gateway.MobilonGateway",
    "ENABLED": True,
    "TIMEOUT": 20,
    "BATCH_SIZE": 100,
    "CONCURRENCY": 5,
    "LEASE": 300,
    "REFUSED_HTTP_CODES": {401, 402, 403, 404, 405, 407, 411, 413, 415, 429},
    "SEND_REPLIES": {0: "accepted"},
    "STATUS_REPLIES": {1: "sent"},
    "STATUS_MAX_AGE": 259_200,
    "MAX_SEGMENTS": 10,
    "NUMBER_PATTERN": r"\+79\d{9}",
    "FORGET_TEXT_AFTER": None,
    "DUPLICATE_WITHIN": None,
    "RATE": None,
    "DAILY_LIMIT": None,
    "QUIET_HOURS": None,
    "LIFETIME": None,
    "REST_OWN_MESSAGES_ONLY": False,
    "HOURLY_PER_NUMBER": None,
    "REST_DAILY_SEGMENTS": None,
    "WAKE_UP": None,
}


def test_settings_have_their_names_and_defaults(settings):
    names = [setting.name for setting in declared()]
    for name in names:
        if hasattr(settings, name):
            delattr(settings, name)
    assert names == [f"MOBILON_SMS_{name}" for name in DEFAULTS]
    assert {name: getattr(conf, name) for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("name", DEFAULTS)
def test_setting_is_read_when_it_is_used(name):
    value = object()
    with override_settings(**{f"MOBILON_SMS_{name}": value}):
        assert getattr(conf, name) is value
    assert getattr(conf, name) is not value


def test_next_gateway_uses_a_changed_setting(sandbox, settings):
    message = OutgoingMessage(uuid4(), "89135292926", "привет", "89234560000")
    get_backend().send([message])
    settings.MOBILON_SMS_PASSWORD = "wrong"
    with pytest.raises(Refused) as raised:
        get_backend().send([message])
    assert (raised.value.http_code, len(sandbox.messages)) == (401, 1)


def python(code: str) -> str:
    environment = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


FREE = (
    "choices conf conf.checks exceptions gateway gateway.client phone_numbers sandbox"
    " segments signals testing"
)


def test_modules_without_models_need_no_settings():
    output = python(
        f"""
from importlib import import_module
for name in {FREE.split()}:
    import_module("django_mobilon_sms." + name)
from django.conf import settings
print(settings.configured)
"""
    )
    assert output == "False\n"


def test_import_succeeds_though_every_setting_is_wrong():
    output = python(
        f"""
import pkgutil
from importlib import import_module
import django
from django.conf import settings
from django.core.checks import run_checks

settings.configure(
    INSTALLED_APPS=[
        "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
        "django.contrib.messages", "django.contrib.sessions", "rest_framework",
        "django_mobilon_sms",
    ],
    SECRET_KEY="only for tests",
    **{{"MOBILON_SMS_" + name: object() for name in {list(DEFAULTS)}}},
)
django.setup()
import django_mobilon_sms
for module in pkgutil.walk_packages(django_mobilon_sms.__path__, "django_mobilon_sms."):
    import_module(module.name)
print([error.id for error in run_checks(tags=["mobilon_sms"])])
"""
    )
    assert output == f"{[f'mobilon_sms.{setting.id}' for setting in declared()]}\n"


def test_process_that_only_writes_does_not_import_requests():
    output = python(
        """
import sys
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=[
        "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
        "django.contrib.messages", "django.contrib.sessions", "django_mobilon_sms",
    ],
    SECRET_KEY="only for tests",
)
django.setup()
import django_mobilon_sms.admin
import django_mobilon_sms.outbox
print("requests" in sys.modules)
"""
    )
    assert output == "False\n"
