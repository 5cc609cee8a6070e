"""What the app is compared with: a loop without a database, and what sends one by one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from uuid import uuid4

import requests
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from .rows import NUMBER, SOURCE, TEXT, execute

#: Requests at once of what can send several: as many as the app by default.
CONCURRENCY = 5
AUTH = ("bench", "bench")
HEADERS = {"Content-Type": "application/json"}


def bare(url: str, path: str, count: int) -> float:
    """Seconds for ``count`` messages in prebuilt requests of 100, each over its own connection."""
    names = ("id",) if path == "status/" else ("guid", "text", "number", "source")
    values = {"text": TEXT, "number": NUMBER, "source": SOURCE}

    def body() -> bytes:
        known = ({**values, "guid": str(uuid4()), "id": uuid4().hex[:24]} for _ in range(100))
        return json.dumps([{name: one[name] for name in names} for one in known]).encode()

    bodies = [body() for _ in range(count // 100)]
    began = time.perf_counter()
    for each in bodies:
        reply = requests.post(url + path, data=each, auth=AUTH, headers=HEADERS, timeout=20)
        if len(reply.json()) != 100:
            raise RuntimeError("The gateway left some out.")
    return time.perf_counter() - began


_session = requests.Session()


def post_one(text: str) -> None:
    """Send one message, over a connection that is kept."""
    message = {"guid": str(uuid4()), "text": text, "number": NUMBER, "source": SOURCE}
    url = os.environ["MOBILON_SMS_BASE_URL"] + "send/"
    reply = _session.post(url, json=[message], auth=AUTH, timeout=20)
    if not reply.json()[0]["id"]:
        raise RuntimeError("The gateway did not take it.")


class GatewayBackend(BaseEmailBackend):
    """Sends an e-mail as an SMS to the same gateway."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """One request a message: there is no other way through Django's mail."""
        for email in email_messages:
            post_one(str(email.body))
        return len(email_messages)


def fill_post_office(count: int) -> None:
    """Queue so many e-mails."""
    from post_office.models import PRIORITY, STATUS, Email

    Email.objects.all().delete()
    Email.objects.bulk_create(
        (
            Email(
                from_email="a@example.com",
                to=["b@example.com"],
                message=TEXT,
                status=STATUS.queued,
                priority=PRIORITY.medium,
            )
            for _ in range(count)
        ),
        batch_size=1000,
    )


def drain_post_office(count: int) -> float:
    """Seconds to send what is queued, as ``manage.py send_queued_mail`` does."""
    from post_office.mail import send_queued_mail_until_done
    from post_office.models import STATUS, Email

    began = time.perf_counter()
    send_queued_mail_until_done()
    took = time.perf_counter() - began
    if Email.objects.filter(status=STATUS.sent).count() != count:
        raise RuntimeError("django-post_office did not send them all.")
    return took


def fill_mailer(count: int) -> None:
    """Queue so many e-mails in django-mailer."""
    from mailer.models import Message, MessageLog

    MessageLog.objects.all().delete()
    Message.objects.all().delete()
    email = EmailMessage("", TEXT, "a@example.com", ["b@example.com"])
    Message.objects.bulk_create((Message(email=email) for _ in range(count)), batch_size=1000)


def drain_mailer(count: int) -> float:
    """Seconds to send what is queued, as ``manage.py send_mail`` does."""
    from mailer.engine import send_all
    from mailer.models import RESULT_SUCCESS, MessageLog

    began = time.perf_counter()
    send_all()
    took = time.perf_counter() - began
    if MessageLog.objects.filter(result=RESULT_SUCCESS).count() != count:
        raise RuntimeError("django-mailer did not send them all.")
    return took


def fill_procrastinate(count: int) -> None:
    """Defer a task for each of so many messages."""
    from .tasks import send

    execute("TRUNCATE procrastinate_jobs CASCADE")
    send.batch_defer(*({} for _ in range(count)))


def drain_procrastinate(count: int) -> float:
    """Seconds to do all tasks, as ``manage.py procrastinate worker --one-shot`` does."""
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.models import ProcrastinateJob

    with app.replace_connector(app.connector.get_worker_connector()) as working:
        began = time.perf_counter()
        working.run_worker(wait=False, concurrency=CONCURRENCY, listen_notify=False)
        took = time.perf_counter() - began
    if ProcrastinateJob.objects.filter(status="succeeded").count() != count:
        raise RuntimeError("Procrastinate did not do them all.")
    return took
