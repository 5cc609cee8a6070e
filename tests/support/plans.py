"""How PostgreSQL would run a statement, on a table that is large enough for its plans to be real.

Of a small table it reads everything, whatever the indexes: that costs less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection

#: Messages over a year, the newest last; they wait, are sent, refused, or in doubt.
FILL = """
INSERT INTO mobilon_sms_smsmessage (
    guid, number, source, text, status, priority, send_at, due_at, segments, attempts, resends,
    gateway_id, error_code, resolution, tag, created_at, accepted_at, sent_at
)
SELECT
    md5(n::text)::uuid, '+7913' || lpad((n::bigint * 7919 %% 10000000)::text, 7, '0'),
    '89234560000', 'Ваш заказ ' || n || ' готов', status, 5, at, at, 1, 1, 0,
    CASE status WHEN 'sent' THEN left(md5(n::text), 24) ELSE '' END,
    CASE status WHEN 'failed' THEN 'rejected' WHEN 'unknown' THEN 'timeout' ELSE '' END,
    CASE WHEN status = 'unknown' AND n %% 200 = 1 THEN 'given_up' ELSE '' END,
    CASE n %% 4 WHEN 0 THEN 'sale-' || n / 2000 WHEN 1 THEN 'order-' || n ELSE '' END, at,
    CASE status WHEN 'sent' THEN at END, CASE status WHEN 'sent' THEN at END
FROM (
    SELECT
        n, now() - (%(count)s - n) * interval '1 year' / %(count)s AS at,
        CASE WHEN n > %(count)s * 0.95 THEN 'pending' WHEN n %% 100 = 1 THEN 'unknown'
            WHEN n %% 100 < 4 THEN 'failed' ELSE 'sent' END AS status
    FROM generate_series(1, %(count)s) AS n
) AS numbered
"""


def fill(count: int = 20_000) -> None:
    """Write that many messages, and let PostgreSQL know what there is."""
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"count": count})
        cursor.execute("ANALYZE mobilon_sms_smsmessage")


def vacuum() -> None:
    """What PostgreSQL does by itself in time: an index then answers without the rows."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("ANALYZE mobilon_sms_smsmessage")  # its commit takes the rows to the disk
        cursor.execute("VACUUM mobilon_sms_smsmessage")
        cursor.execute("RESET synchronous_commit")


def steps(sql: str) -> Iterator[dict[str, Any]]:
    """The steps of a statement's plan, each with what PostgreSQL says of it."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        [answer] = cursor.fetchone()
    found = json.loads(answer) if isinstance(answer, str) else answer
    left = [found[0]["Plan"]]
    while left:
        step = left.pop()
        left += step.get("Plans", [])
        yield step


def faults(sql: str, *, table: str = "mobilon_sms_smsmessage", most: int = 1000) -> list[str]:
    """The steps that cost more as the table grows: it is scanned, or over ``most`` rows sorted."""
    return [
        step["Node Type"]
        for step in steps(sql)
        if (step["Node Type"] == "Seq Scan" and step["Relation Name"] == table)
        or (step["Node Type"] == "Sort" and step["Plan Rows"] > most)
    ]
