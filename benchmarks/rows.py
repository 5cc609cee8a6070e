"""Messages by the hundred thousand, written by the database itself."""

from __future__ import annotations

import os
from io import BytesIO

from django.db import connection

NUMBER, SOURCE = "89135292926", "89234560000"
TEXT = "Заказ 0123456 готов. Пункт выдачи: ул. Ленина, 12, с 9 до 21. Ждём!"

#: The databases, by what Django calls them.
NAMES = {"sqlite": "SQLite", "wal": "SQLite, WAL", "postgresql": "PostgreSQL", "mysql": "MariaDB"}
#: A guid, the time so many seconds from now, and the numbers from 1, in each database's words.
WORDS = {
    "postgresql": (
        "gen_random_uuid()",
        "now() + ({}) * interval '1 second'",
        "generate_series(1, {}) AS numbers(n)",
    ),
    "sqlite": (
        "lower(hex(randomblob(16)))",
        "strftime('%Y-%m-%d %H:%M:%f', 'now', ({}) || ' seconds')",
        "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {})"
        " SELECT n FROM s) AS numbers",
    ),
    "mysql": (
        "uuid()",
        "utc_timestamp(6) + interval ({}) second",
        "(SELECT CAST(seq AS SIGNED) AS n FROM seq_1_to_{}) AS numbers",
    ),
}
INSERT = """
INSERT INTO mobilon_sms_smsmessage (
    guid, number, source, text, status, priority, send_at, due_at, segments, attempts, resends,
    gateway_id, error_code, resolution, tag, created_at, accepted_at, sent_at, batch_id
)
SELECT
    {guid}, {number}, '{source}', '{text}', '{status}', 5, {at}, {at}, 1, 0, 0,
    {gateway_id}, '', '', '', {at}, {accepted}, {sent}, {batch}
FROM {numbers}
"""
#: Batches of a hundred messages that are due to be asked for.
BATCHES = """
INSERT INTO mobilon_sms_smsbatch (
    id, worker, created_at, lease_until, breaker_changes, outcome, error_code, closed_at,
    applied_at, next_check_at, message_count, packed_guids, answers
)
SELECT {key}, 'bench:1', {at}, {at}, 0, 'answered', '', {at}, {at}, {at}, 100, '', '[]'
FROM {numbers}
"""
#: The key of the batch with this number.
KEYS = {
    "postgresql": "lpad(to_hex({}), 32, '0')::uuid",
    "sqlite": "printf('%032x', {})",
    "mysql": "lpad(hex({}), 32, '0')",
}
#: A number of its own for each message of ten million.
NUMBERS = {
    "postgresql": "'+7913' || lpad((n * 7919::bigint % 10000000)::text, 7, '0')",
    "sqlite": "'+7913' || printf('%07d', n * 7919 % 10000000)",
    "mysql": "concat('+7913', lpad(n * 7919 % 10000000, 7, '0'))",
}
IDS = {
    "postgresql": "left(md5(n::text), 24)",
    "sqlite": "printf('%024x', n)",
    "mysql": "left(md5(n), 24)",
}

#: What gathers statistics of a table.
STATISTICS = {
    "postgresql": "VACUUM ANALYZE {}",
    "mysql": "ANALYZE TABLE {}",
    "sqlite": "ANALYZE {}",
}


def a_list(kind: str, count: int) -> bytes:
    """A file of so many recipients, as a person would upload it."""
    cells = [("Телефон", "Имя", "Данные")]
    cells += [(f"8913{n * 7919 % 10_000_000:07}", f"Имя {n}", str(n)) for n in range(count)]
    if kind == "csv":
        return "".join(";".join(row) + "\r\n" for row in cells).encode("cp1251")
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in cells:
        sheet.append(row)
    written = BytesIO()
    book.save(written)
    return written.getvalue()


def clear() -> None:
    """Begin with empty tables."""
    if connection.vendor == "postgresql":  # what is only deleted stays until it is vacuumed
        execute(
            "TRUNCATE mobilon_sms_smsmessage, mobilon_sms_smsbatch, mobilon_sms_gatewaystate,"
            " mobilon_sms_smsmailing"
        )
        return
    for table in ("smsmessage", "smsbatch", "gatewaystate", "smsmailing"):
        execute(f"DELETE FROM mobilon_sms_{table}")


def due(count: int) -> None:
    """So many messages that are due."""
    _insert(count, "pending", seconds="-1")


def scheduled(count: int) -> None:
    """So many for tomorrow."""
    _insert(count, "pending", seconds="86400")


def sent(count: int, *, batch: str = "NULL") -> None:
    """So many that are done, over the last year."""
    step = 31_536_000 // max(count, 1)
    _insert(count, "sent", seconds=f"n * {step} - 31536001", accepted=True, batch=batch)


def accepted(count: int) -> None:
    """So many whose status is to be asked for, in batches of a hundred."""
    _, time, numbers = WORDS[connection.vendor]
    key = KEYS[connection.vendor]
    batches = {"key": key.format("n"), "at": time.format("-20")}
    execute(BATCHES.format(**batches, numbers=numbers.format((count + 99) // 100)))
    _insert(count, "accepted", seconds="-20", accepted=True, batch=batch_key_sql())


def batch_key_sql() -> str:
    """SQL for the key of a message's batch, a hundred messages to a batch."""
    division = "DIV" if connection.vendor == "mysql" else "/"
    return KEYS[connection.vendor].format(f"(n + 99) {division} 100")


def _insert(
    count: int, status: str, *, seconds: str, accepted: bool = False, batch: str = "NULL"
) -> None:
    if not count:
        return
    guid, time, numbers = WORDS[connection.vendor]
    at = time.format(seconds)
    execute(
        INSERT.format(
            guid=guid,
            number=NUMBERS[connection.vendor],
            source=SOURCE,
            text=TEXT,
            status=status,
            at=at,
            gateway_id=IDS[connection.vendor] if accepted else "''",
            accepted=at if accepted else "NULL",
            sent=at if status == "sent" else "NULL",
            batch=batch,
            numbers=numbers.format(count),
        )
    )


def spread(*, tags: int, senders: int) -> None:
    """Give the messages so many tags and senders, and delays of up to four minutes."""
    delay = {
        "postgresql": "sent_at + (id % 240) * interval '1 second'",
        "sqlite": "strftime('%Y-%m-%d %H:%M:%f', sent_at, (id % 240) || ' seconds')",
        "mysql": "sent_at + interval (id % 240) second",
    }[connection.vendor]
    name = {"mysql": "concat('{}', id % {})"}.get(connection.vendor, "'{}' || id % {}")
    execute(
        f"UPDATE mobilon_sms_smsmessage SET tag = {name.format('tag ', tags)},"
        f" source = {name.format('8923456', senders)}, sent_at = {delay}"
    )


def analyze() -> None:
    """Let the database know what there is, and the disk be done with it."""
    for table in ("smsmessage", "smsbatch"):
        execute(STATISTICS[connection.vendor].format(f"mobilon_sms_{table}"))
    os.sync()


def execute(sql: str) -> None:
    """Run the statement as it is, without parameters."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
