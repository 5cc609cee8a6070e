"""docs/howto/moving.rst, followed in a project that sends by django-post_office and django-sms."""

from __future__ import annotations

from pathlib import Path

import pytest

from django_mobilon_sms.sandbox import Sandbox
from tests.support.documents import DOCS
from tests.support.new_project import NewProject

pytest.importorskip("post_office")
pytest.importorskip("sms")

pytestmark = pytest.mark.slow

EXECUTED = ["docs/howto/moving.rst"]
PAGE = DOCS / "howto/moving.rst"
OLD = """
INSTALLED_APPS += ["post_office"]
EMAIL_BACKEND = "post_office.EmailBackend"
POST_OFFICE = {"BACKENDS": {"default": "django.core.mail.backends.locmem.EmailBackend"}}
SMS_BY_OUTBOX = False
"""
#: Two wait in the old queue; one of them for tomorrow. An e-mail that is none of ours waits too.
FILL = """
from datetime import timedelta
from django.utils import timezone
from post_office import mail
from notifications.sms import notify
notify("+79135292926", "Заказ 1 готов")
tomorrow = timezone.now() + timedelta(days=1)
old = {"message": "Заказ 2 готов", "scheduled_time": tomorrow}
mail.send("+79029801212@sms.example", "shop@shop.example", **old)
mail.send("anna@shop.example", "shop@shop.example", message="Отчёт")
"""
LEFT = """
from post_office.models import Email
from django_mobilon_sms.models import SmsMessage
rows = SmsMessage.objects.order_by("text").values_list("text", "status", "tag")
print(list(Email.objects.values_list("message", flat=True)), list(rows))
"""


@pytest.fixture
def project(tmp_path: Path):
    """A project that still sends the old way, and its gateway."""
    with Sandbox() as gateway:
        project = NewProject(tmp_path, gateway.url)
        project.write("shop/settings.py", OLD)
        project.write_files(PAGE)
        project.gateway = gateway
        project.manage("migrate")
        yield project


def test_what_waits_is_moved_once_and_new_messages_take_the_new_way(project):
    project.env["SMS_WAY"] = "old"
    switch = '\nimport os\nSMS_BY_OUTBOX = os.environ.get("SMS_WAY") != "old"'
    project.write("shop/settings.py", switch)
    project.manage("shell", stdin=FILL)
    assert (project.code, project.gateway.messages) == (0, [])
    del project.env["SMS_WAY"]
    assert project.type_in(PAGE, "How you see that it works") == 2
    assert [message.text for message in project.gateway.messages] == [
        "Заказ 1 готов",
        "Ваш заказ готов",
    ]
    rows = [
        ("Ваш заказ готов", "accepted", ""),
        ("Заказ 1 готов", "accepted", "moved"),
        ("Заказ 2 готов", "pending", "moved"),
    ]
    assert project.value(LEFT) == f"{['Отчёт']} {rows}"
    assert "2" not in project.manage("send_queued_mail")
    project.manage("send_sms")
    assert len(project.gateway.messages) == 2


def test_bad_row_stays_in_the_old_queue(project):
    bad = "from post_office import mail\nfrom notifications.moving import move_queued\n"
    bad += "from django.core.exceptions import ValidationError\n"
    bad += "mail.send('8495@sms.example', 'shop@shop.example', message='Заказ готов')\n"
    bad += "try:\n    move_queued()\nexcept ValidationError:\n    pass\n\n"
    assert project.value(bad + LEFT) == f"{['Заказ готов']} []"


def test_calls_of_django_sms_write_into_the_outbox(project):
    send = "from sms import send_sms\n"
    send += "sent = send_sms('Заказ 3 готов', None, ['89135292926', '89029801212'])\n"
    send += "from django_mobilon_sms.models import SmsMessage\n"
    send += "print(sent, *SmsMessage.objects.order_by('pk').values_list('number', flat=True))"
    assert project.value(send) == "2 +79135292926 +79029801212"
