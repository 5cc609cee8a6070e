"""Fast INSERT of new messages, one or many thousand.

Django's ``bulk_create()`` binds every field of every row, which takes longer than the database's
own work. Here most values that all rows share are part of the statement, and PostgreSQL gets the
others as one array for each column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Field
from django.db.models.expressions import DatabaseDefault
from django.db.models.sql import Query

from ..models import SmsMessage, chunked, quoting_no_row

#: The rows of an INSERT, and their parameters.
SQL = tuple[str, list[Any]]


class Frame(NamedTuple):
    """What surrounds the rows of a statement, and the fields that it writes and returns."""

    insert: str
    returning: str
    written: list[Field[Any, Any]]
    returned: list[Field[Any, Any]]


class Column(NamedTuple):
    """A field of all rows: a literal, or a value for each row, or one value for all of them."""

    field: Field[Any, Any]
    literal: str
    values: list[Any]
    #: The SQL around a value.
    place: str


@quoting_no_row
def insert_messages(messages: Sequence[SmsMessage], *, using: str) -> None:
    """Insert new messages, and set their keys and the times that they leave to the database.

    Call it in a transaction, because a long list takes several statements. Nothing is validated.
    """
    for chunk in chunked(messages):
        _insert(chunk, using)
        SmsMessage.objects.using(using).record_new(message.pk for message in chunk)


@lru_cache
def _with_database_default() -> list[str]:
    return [field.attname for field in SmsMessage._meta.concrete_fields if field.has_db_default()]


def _left_to_database(messages: Sequence[SmsMessage]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fields that get their value from the database in all rows, and in some."""
    left: dict[str, int] = {}
    for name in _with_database_default():
        if count := sum(isinstance(vars(one)[name], DatabaseDefault) for one in messages):
            left[name] = count
    return tuple([name for name in left if left[name] == len(messages)]), tuple(left)


@lru_cache
def _frame(in_all: tuple[str, ...], in_some: tuple[str, ...], using: str) -> Frame:
    quote, meta = connections[using].ops.quote_name, SmsMessage._meta
    written: list[Field[Any, Any]] = []
    returned: list[Field[Any, Any]] = [meta.get_field("guid")]
    for field in meta.concrete_fields:
        is_ours = not (field.primary_key or field.generated)
        if is_ours and field.attname not in in_all:
            written.append(field)
        if not is_ours or field.attname in in_some:
            returned.append(field)
    into = ", ".join(quote(str(field.column)) for field in written)
    back = ", ".join(quote(str(field.column)) for field in returned)
    insert = f"INSERT INTO {quote(meta.db_table)} ({into})"
    return Frame(insert, f"RETURNING {back}", written, returned)


def _insert(messages: Sequence[SmsMessage], using: str) -> None:
    connection, frame = connections[using], _frame(*_left_to_database(messages), using)
    columns = [_column(field, messages, connection) for field in frame.written]
    is_list = len(messages) > 1
    make_rows = WAYS.get(connection.vendor, _values) if is_list else _values
    by_guid = {message.guid: message for message in messages}
    with connection.cursor() as cursor:
        for rows, parameters in make_rows(columns, len(messages), connection):
            cursor.execute(f"{frame.insert} {rows} {frame.returning}", parameters)
            _take_back(cursor.fetchall(), frame.returned, by_guid, using)


def _take_back(
    rows: Any, fields: Sequence[Field[Any, Any]], by_guid: dict[Any, SmsMessage], using: str
) -> None:
    """Copy the returned values to the messages."""
    compiler: Any = Query(SmsMessage).get_compiler(using)
    if converters := compiler.get_converters([field.cached_col for field in fields]):
        rows = compiler.apply_converters(rows, converters)
    names = [field.attname for field in fields]
    for row in rows:
        message = by_guid[row[0]]  # by its guid, because no database promises an order
        vars(message).update(zip(names, row))
        message._state.adding, message._state.db = False, using


def _column(field: Field[Any, Any], messages: Sequence[SmsMessage], connection: Any) -> Column:
    name, prepare = field.attname, field.get_db_prep_save
    values = [vars(message)[name] for message in messages]
    place = "{}"
    if name in _with_database_default():
        values, place = _without_defaults(values, connection)
    if values.count(values[0]) == len(values):
        if literal := _literal(values[0]):
            return Column(field, literal, [], place)
        return Column(field, "", [prepare(values[0], connection)], place)
    return Column(field, "", [prepare(value, connection) for value in values], place)


def _without_defaults(values: list[Any], connection: Any) -> tuple[list[Any], str]:
    """Replace the database's defaults by ``None``, and return the SQL that puts them back."""
    defaults: list[Any] = [value for value in values if isinstance(value, DatabaseDefault)]
    if not defaults:
        return values, "{}"
    compiler: Any = Query(SmsMessage).get_compiler(connection=connection)
    sql, _parameters = compiler.compile(defaults[0].expression)
    kept = [None if isinstance(value, DatabaseDefault) else value for value in values]
    return kept, f"COALESCE({{}}, {sql})"


def _literal(value: Any) -> str:
    """Return the SQL of a value that needs no parameter, or an empty string."""
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
    if value == "":
        return "''"
    return str(int(value)) if isinstance(value, int) else ""


def _arrays(columns: Sequence[Column], count: int, connection: Any) -> Iterator[SQL]:
    """Yield a SELECT from one array for each column that varies."""
    select: list[str] = []
    shared: list[Any] = []
    types: list[str] = []
    arrays: list[list[Any]] = []
    for field, literal, values, place in columns:
        if literal or len(values) == 1:
            select.append(place.format(literal or "%s"))
            shared += values
        else:
            select.append(place.format(f"given.c{len(arrays)}"))
            arrays.append(values)
            # Without its length: a cast cuts what is too long, and an INSERT refuses it.
            types.append(f"%s::{str(field.db_type(connection)).partition('(')[0]}[]")
    names = ", ".join(f"c{n}" for n in range(len(arrays)))
    source = f"unnest({', '.join(types)}) AS given({names})"
    yield f"SELECT {', '.join(select)} FROM {source}", shared + arrays  # noqa: S608  names


def _values(columns: Sequence[Column], count: int, connection: Any) -> Iterator[SQL]:
    """Yield lists of rows, none with more parameters than the database takes."""
    places = [column.place.format(column.literal or "%s") for column in columns]
    row = f"({', '.join(places)})"
    bound = [column.values for column in columns if not column.literal]
    whole = [values if len(values) == count else values * count for values in bound]
    most = connection.features.max_query_params
    for chunk in chunked(zip(*whole), most // len(bound) if most else count):
        yield f"VALUES {', '.join([row] * len(chunk))}", list(chain.from_iterable(chunk))


#: How many rows are given to a database, if not by ``_values()``.
WAYS: dict[str, Callable[[Sequence[Column], int, Any], Iterator[SQL]]] = {"postgresql": _arrays}
