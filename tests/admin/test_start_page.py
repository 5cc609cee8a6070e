"""What the start page of the admin says about messages."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from django.contrib.admin import AdminSite, site

from django_mobilon_sms.admin import bounded_paginator
from django_mobilon_sms.admin.messages.admin import MessageAdmin
from django_mobilon_sms.choices import WorkerKind
from django_mobilon_sms.models import Heartbeat, SmsMessage
from tests.support.admin_door import DECIDE, EVERYTHING, LIST, decide, person, text_of, unknown
from tests.support.messages import write

pytestmark = pytest.mark.django_db

INDEX = "/admin/"
SAID = "2 messages may have gone out, and nobody can prove it. Look and decide"


def test_start_page_says_how_many_wait_for_a_decision_and_leads_to_them():
    client = person(*EVERYTHING)
    write()
    assert "nobody can prove" not in text_of(client.get(INDEX))
    messages = unknown(2)
    response = client.get(INDEX)
    assert SAID in text_of(response)
    html = response.content.decode()
    assert f'href="{LIST}?decision=none"' in html
    assert f'href="{DECIDE}"' in html
    decide(client, "give_up", messages)
    assert "nobody can prove" not in text_of(client.get(INDEX))


def test_start_page_offers_the_decision_to_those_who_may_take_it():
    unknown(2)
    reader = person("view_smsmessage")
    response = reader.get(INDEX)
    assert SAID in text_of(response)
    assert DECIDE not in response.content.decode()
    writer = person("add_smsmessage", name="writer")
    assert "nobody can prove" not in text_of(writer.get(INDEX))


def test_start_page_says_whether_messages_go_out_and_pauses_them():
    client = person(*EVERYTHING)
    assert "No message waits. No worker has run yet. Pause sending" in text_of(client.get(INDEX))
    html = client.get(INDEX).content.decode()
    [back] = re.findall(r'name="back" value="([^"]*)"', html)
    response = client.post(f"{LIST}gateway/pause/", {"back": back}, follow=True)
    assert response.redirect_chain == [(INDEX, 302)]
    assert "by anna. Resume sending" in text_of(response)
    shown = text_of(person("view_smsmessage", name="reader").get(INDEX))
    assert "by anna." in shown
    assert "Resume sending" not in shown
    assert "by anna" not in text_of(person("add_smsmessage", name="writer").get(INDEX))


def test_start_page_says_it_in_russian():
    unknown(2)
    client = person(*EVERYTHING)
    shown = text_of(client.get(INDEX, headers={"accept-language": "ru"}))
    assert "2 сообщения могли уйти, но доказать это нельзя. Посмотреть и принять решение" in shown


def test_only_the_start_page_counts(django_assert_num_queries, monkeypatch):
    client = person(*EVERYTHING)
    unknown(3)
    monkeypatch.setattr(bounded_paginator, "MAX_COUNTED", 2)
    Heartbeat.objects.beat(WorkerKind.LOOP, "sms-1")
    # Session, user, the permissions of user and groups, the last actions, the state of sending, the
    # last heartbeat, what waits.
    with django_assert_num_queries(8):
        assert "More than 2 messages may have gone out" in text_of(client.get(INDEX))
    with django_assert_num_queries(4):
        client.get("/admin/password_change/")


def test_start_page_of_a_projects_own_is_left_alone():
    own = AdminSite()
    own.index_template = "own.html"
    MessageAdmin(SmsMessage, own)
    assert own.index_template == "own.html"
    assert site.index_template == "admin/mobilon_sms/index.html"


WITHOUT_ADMIN = """
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "django_mobilon_sms"
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()
from django.template import engines
print(engines["django"].from_string("rendered").render())
"""


def test_project_without_the_admin_renders_its_templates():
    command = [sys.executable, "-c", WITHOUT_ADMIN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("rendered\n", "")
