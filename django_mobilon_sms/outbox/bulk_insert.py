"""Fast INSERT of many messages that differ in a few fields only, such as those of a mailing.

Django's ``bulk_create()`` prepares every field of every row, which takes longer than the
database's own work. Here the fields that all rows share are prepared once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from django.db import connections

from ..models import SmsMessage, chunked, quoting_no_row


@quoting_no_row
def insert_alike(prototype: SmsMessage, rows: Sequence[Mapping[str, Any]], *, using: str) -> int:
    """Insert a message for each row and return their number.

    A message is the prototype with the row's fields and a new guid. All rows name the same
    fields. Nothing is validated. The prototype must hold a value in every field; expressions,
    such as ``Now()``, do not work.
    """
    connection = connections[using]
    fields = [field for field in SmsMessage._meta.concrete_fields if not field.primary_key]
    shared = {
        field.attname: field.get_db_prep_save(getattr(prototype, field.attname), connection)
        for field in fields
    }
    varying = [field for field in fields if field.name == "guid" or field.name in rows[0]]
    size = connection.ops.bulk_batch_size(fields, rows)
    with connection.cursor() as cursor:
        for chunk in chunked(rows, size):
            values: list[Any] = []
            for row in chunk:
                own = {"guid": uuid4()} | dict(row)
                prepared = {
                    field.attname: field.get_db_prep_save(own[field.name], connection)
                    for field in varying
                }
                values.extend((shared | prepared).values())
            cursor.execute(_statement(connection, fields, len(chunk)), values)
    return len(rows)


def _statement(connection: Any, fields: Sequence[Any], count: int) -> str:
    quoted = connection.ops.quote_name
    names = ", ".join(quoted(field.column) for field in fields)
    row = f"({', '.join(['%s'] * len(fields))})"
    table = quoted(SmsMessage._meta.db_table)
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([row] * count)}"  # noqa: S608  names
