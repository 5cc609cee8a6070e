"""``python -m benchmarks.worker NAME JSON``: one measurement in a process of its own.

It gets ready, prints a line, waits for one, works, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django


def drain(concurrency: int | None = None, limit: int | None = None) -> dict[str, Any]:
    """Send what is due."""
    from django_mobilon_sms.worker import deliver

    began = time.perf_counter()
    report = deliver(concurrency=concurrency, limit=limit)
    took = time.perf_counter() - began
    return {"seconds": took, "count": report.statuses["accepted"]}


def refresh() -> dict[str, Any]:
    """Ask for what is due."""
    from django_mobilon_sms.worker import refresh

    began = time.perf_counter()
    report = refresh()
    return {"seconds": time.perf_counter() - began, "count": report.reported["sent"]}


def bare(path: str, count: int) -> dict[str, Any]:
    """The loop without a database."""
    from .rivals import bare

    return {"seconds": bare(os.environ["MOBILON_SMS_BASE_URL"], path, count), "count": count}


def post_office(count: int) -> dict[str, Any]:
    """What is queued in django-post_office."""
    from .rivals import drain_post_office

    return {"seconds": drain_post_office(count), "count": count}


def mailer(count: int) -> dict[str, Any]:
    """What is queued in django-mailer."""
    from .rivals import drain_mailer

    return {"seconds": drain_mailer(count), "count": count}


def procrastinate(count: int) -> dict[str, Any]:
    """What is deferred in Procrastinate."""
    from .rivals import drain_procrastinate

    return {"seconds": drain_procrastinate(count), "count": count}


def urgent(count: int, gap: tuple[float, float]) -> dict[str, Any]:
    """Write urgent messages with random gaps in seconds; when each was committed, by guid.

    One more is written first. It opens the connections, and does not count.
    """
    import random
    from uuid import uuid4

    from django.db import transaction

    import tests.support.celery_app  # noqa: F401 - the tasks belong to the app that is imported
    from django_mobilon_sms.choices import Priority
    from django_mobilon_sms.outbox import send_sms

    from .gateway import URGENT
    from .rows import NUMBER

    committed: list[float] = []
    guids = [uuid4() for _ in range(count + 1)]
    for guid in guids:
        time.sleep(random.uniform(*gap))
        with transaction.atomic():
            # Before the app's own hook, which wakes the workers.
            transaction.on_commit(lambda: committed.append(time.monotonic()))
            send_sms(NUMBER, f"{URGENT} {guid}", priority=Priority.HIGH, guid=guid)
    by_guid = dict(zip(map(str, guids[1:]), committed[1:]))
    return {"committed": by_guid, "count": count}


def memory() -> dict[str, Any]:
    """The peak of memory after a run with nothing to do, and while all that is due is sent."""
    from django_mobilon_sms.models import GatewayState
    from django_mobilon_sms.worker import deliver

    GatewayState.objects.pause(by=None)
    deliver()
    idle = peak_of_memory()
    GatewayState.objects.resume()
    report = deliver()
    return {"idle": idle, "over": peak_of_memory() - idle, "count": report.claimed}


def peak_of_memory() -> float:
    """In MiB. Not ``ru_maxrss``: on Linux that begins with what the parent process had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) / 1024


def claims(count: int) -> dict[str, Any]:
    """So many claims of 100, recorded nowhere: their median, in seconds."""
    from statistics import median

    from django_mobilon_sms.worker.claims import claim_next

    times = []
    for _ in range(count):
        began = time.perf_counter()
        claims, _halt = claim_next(1, 100, 100)
        times.append(time.perf_counter() - began)
        if [len(claim.messages) for claim in claims] != [100]:
            raise RuntimeError("Not a whole batch was claimed.")
    return {"seconds": median(times), "count": count}


def given(count: int) -> list[dict[str, Any]]:
    """So many rows with a number and a text of their own, as a caller has them."""
    from .rows import TEXT

    return [
        {"number": f"+7913{n:07}", "text": TEXT.replace("0123456", f"{n:07}")} for n in range(count)
    ]


def complete(count: int) -> list[dict[str, Any]]:
    """The same rows with what Django does not know."""
    from .rows import SOURCE

    return [row | {"source": SOURCE, "segments": 1} for row in given(count)]


def send_many(count: int) -> dict[str, Any]:
    """Write so many messages through the outbox."""
    from django_mobilon_sms.outbox import send_many

    rows = given(count)
    began = time.perf_counter()
    written = send_many(rows)
    return {"seconds": time.perf_counter() - began, "count": written}


def bulk_create(count: int) -> dict[str, Any]:
    """Write the same rows by Django alone, in one transaction."""
    from django.db import transaction
    from django.db.models import QuerySet

    from django_mobilon_sms.models import SmsMessage

    rows = complete(count)
    began = time.perf_counter()
    with transaction.atomic():
        messages = [SmsMessage(**row) for row in rows]
        QuerySet(SmsMessage).bulk_create(messages, batch_size=500)
    return {"seconds": time.perf_counter() - began, "count": count}


def copy(count: int) -> dict[str, Any]:
    """Write the same rows by PostgreSQL's COPY; they are made before."""
    from django.db import connection, transaction

    from django_mobilon_sms.models import SmsMessage

    fields = [
        field
        for field in SmsMessage._meta.concrete_fields
        if not (field.primary_key or field.has_db_default())
    ]
    names = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    command = f"COPY {SmsMessage._meta.db_table} ({names}) FROM STDIN"
    messages = [SmsMessage(**row) for row in complete(count)]
    ready = [[getattr(message, field.attname) for field in fields] for message in messages]
    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor, cursor.copy(command) as stream:
        for row in ready:
            stream.write_row(row)
    return {"seconds": time.perf_counter() - began, "count": count}


def send_sms(count: int) -> dict[str, Any]:
    """Write so many messages one by one through the outbox, each in its own transaction."""
    from django_mobilon_sms.outbox import send_sms

    rows = given(count)
    began = time.perf_counter()
    for row in rows:
        send_sms(**row)
    return {"seconds": time.perf_counter() - began, "count": count}


def save_base(count: int) -> dict[str, Any]:
    """Write the same rows one by one by Django alone."""
    from django_mobilon_sms.models import SmsMessage

    rows = complete(count)
    began = time.perf_counter()
    for row in rows:
        SmsMessage(**row).save_base(force_insert=True)
    return {"seconds": time.perf_counter() - began, "count": count}


def mailing(kind: str, count: int) -> dict[str, Any]:
    """Send a list through the admin's pages; seconds by step, and the peak of memory over idle."""
    from django.contrib.auth.models import User
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.test import Client

    from django_mobilon_sms.models import SmsMailing

    from .rows import a_list

    User.objects.filter(username="bench").delete()
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    pages = "/admin/mobilon_sms/smsmailing/"
    given = {"name": "bench", "text": "{{NAME}}, заказ {{DATA}} готов", "priority": "5"}
    file = SimpleUploadedFile(f"list.{kind}", a_list(kind, count))
    client.get(f"{pages}add/")
    idle, took = peak_of_memory(), {}

    def step(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        reply = work()
        took[name] = time.perf_counter() - began
        return reply

    page = step("upload", lambda: client.post(f"{pages}add/", given | {"file": file}))["Location"]
    step("preview", lambda: client.get(page))
    step("confirm", lambda: client.post(page.replace("/change/", "/confirm/")))
    written = SmsMailing.objects.latest("pk").written
    if written != count:
        raise RuntimeError(f"{written} of {count} were written.")
    return {"idle": idle, "over": peak_of_memory() - idle, "count": count, "steps": took}


def setup(*, with_app: bool) -> None:
    """Print how long Django, DRF and perhaps the app take to be imported, in seconds."""
    from django.conf import settings

    from .settings import RIVALS

    if not with_app:
        settings.INSTALLED_APPS.remove("django_mobilon_sms")
    for rival in RIVALS:
        settings.INSTALLED_APPS.remove(rival)
    began = time.perf_counter()
    django.setup()
    from rest_framework import filters, pagination, serializers, viewsets  # noqa: F401

    if with_app:
        import django_mobilon_sms.management.commands.send_sms
        import django_mobilon_sms.rest.urls  # noqa: F401
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - began}))


WORK: dict[str, Callable[..., dict[str, Any]]] = {
    work.__name__: work
    for work in (
        *(drain, refresh, bare, post_office, mailer, procrastinate, urgent, memory, claims),
        *(send_many, bulk_create, copy, send_sms, save_base, mailing),
    )
}


def main() -> None:
    """Do what the command line names."""
    name, options = sys.argv[1], json.loads(sys.argv[2])
    if name == "setup":
        setup(**options)
        return
    django.setup()
    from django.db import connection

    connection.ensure_connection()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(json.dumps(WORK[name](**options)))


if __name__ == "__main__":
    main()
