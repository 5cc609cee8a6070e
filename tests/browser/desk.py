"""A desk that is in use: messages in every state, as the pictures show them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django_mobilon_sms.choices import ErrorCode, Outcome, Status, WorkerKind
from django_mobilon_sms.models import Heartbeat, SmsBatch, SmsMessage, db_now
from tests.support.admin_door import become, change, unknown
from tests.support.messages import write

TEXTS = [
    "Ваш заказ 1001 готов. Ждём вас до 21:00 по адресу: улица Ленина, 5. Возьмите паспорт",
    "Код подтверждения: 4711",
    "Весенняя акция: скидка 20% на всё до конца недели",
]
TAGS = ["заказы", "коды", "акция #7"]


def ago(**time: float) -> Any:
    """Return a time of the past, by the database's clock."""
    return db_now() - timedelta(**time)


def day_at_the_desk() -> SmsMessage:
    """Write messages over a week, and return one that has waited too long."""
    now = ago()
    Heartbeat.objects.create(host="sms-1", kind=WorkerKind.LOOP)
    batch = SmsBatch.objects.create(
        worker="sms-1:4021", lease_until=now, outcome=Outcome.ANSWERED, closed_at=now,
        message_count=100, http_code=200, applied_at=now,
    )  # fmt: skip
    for n in range(21):
        kind = n % 3
        number = f"+7913529{2900 + n}"
        [message] = write(number=number, text=TEXTS[kind], tag=TAGS[kind], priority=(5, 0, 9)[kind])
        at = ago(days=(20 - n) // 3, hours=1, minutes=(20 - n) * 7)
        sent = {"gateway_id": f"a{n}", "accepted_at": at, "batch": batch, "gateway_status": 1}
        times = {"created_at": at, "send_at": at, "due_at": at}
        took = timedelta(seconds=20 + 37 * (n % 9))
        status = Status.DELIVERED if n % 4 else Status.SENT
        change(message, status=status, sent_at=at + took, **times | sent)
    become(write(2, tag="коды"), status=Status.FAILED, error_code=ErrorCode.REJECTED)
    unknown(3)
    for n, message in enumerate(SmsMessage.objects.filter(batch__worker="elsewhere:1")):
        at = ago(minutes=50 - 5 * n)
        change(message, number=f"+7913529{2930 + n}", tag=TAGS[n % 2])
        change(message, created_at=at, send_at=at, due_at=at)
    late, soon = write(2, number="+79135292999", text=TEXTS[1], tag="коды")
    change(late, created_at=ago(minutes=40), due_at=ago(minutes=40))
    change(soon, due_at=db_now() + timedelta(hours=2), send_at=db_now() + timedelta(hours=2))
    return late
