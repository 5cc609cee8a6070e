"""Many messages that are alike, written by statements whose values are prepared once.

Django's own ``bulk_create()`` prepares each field of each row: longer work than the database's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from django.db import connections

from ..models import SmsMessage, quoting_no_row


@quoting_no_row
def insert_alike(prototype: SmsMessage, rows: Sequence[Mapping[str, Any]], *, using: str) -> int:
    """Write a message for each row: the prototype with these fields, and a guid of its own.

    Nothing is judged here. The prototype must hold a value in every field, and no expression.
    """
    connection = connections[using]
    fields = [field for field in SmsMessage._meta.concrete_fields if not field.primary_key]
    alike = {
        field.attname: field.get_db_prep_save(getattr(prototype, field.attname), connection)
        for field in fields
    }
    varying = [field for field in fields if field.name == "guid" or field.name in rows[0]]
    size = connection.ops.bulk_batch_size(fields, rows)
    with connection.cursor() as cursor:
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            values: list[Any] = []
            for row in chunk:
                own = {"guid": uuid4()} | dict(row)
                changed = {
                    field.attname: field.get_db_prep_save(own[field.name], connection)
                    for field in varying
                }
                values.extend((alike | changed).values())
            cursor.execute(_statement(connection, fields, len(chunk)), values)
    return len(rows)


def _statement(connection: Any, fields: Sequence[Any], count: int) -> str:
    quoted = connection.ops.quote_name
    names = ", ".join(quoted(field.column) for field in fields)
    row = f"({', '.join(['%s'] * len(fields))})"
    table = quoted(SmsMessage._meta.db_table)
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([row] * count)}"  # noqa: S608  names
