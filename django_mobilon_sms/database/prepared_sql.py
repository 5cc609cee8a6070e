"""Cached SQL for the statements that a worker repeats for every batch.

Django takes longer to build an UPDATE of a hundred rows than a database takes to run it. So each
statement is compiled once: its ``build`` is called for each database, and each set of values, with
placeholders instead of the expressions. Every call fills in the expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.db import connections, models, router, transaction
from django.db.models import Expression, ExpressionWrapper
from django.db.models.sql import Query, UpdateQuery

from .clock import db_now
from .expressions import SQL, Stored


class Placeholder(Expression):
    """A mark in prepared SQL, replaced by an expression of the same name at each call."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.mark = f"<{name}>"

    def as_sql(self, compiler: Any, connection: Any) -> SQL:
        """Return the mark, with the placeholder itself as its only parameter."""
        return self.mark, (self,)


#: Added to a SELECT, locks its rows against changes. MySQL and MariaDB then read what is committed,
#: whatever the transaction read before.
SHARE_LOCKS = {"postgresql": " FOR SHARE", "mysql": " LOCK IN SHARE MODE"}


#: The rows to update, and their new values.
Change = tuple[Any, dict[str, Any]]

#: Builds a change from all rows of the model and from expressions by name.
Build = Callable[..., Change]

#: Builds a new row, and the rows of another model that it is made from, in the same way.
BuildInsert = Callable[..., tuple[models.Model, Any]]


def update(build: Build, model: type[models.Model], *values: Any, **expressions: Any) -> int:
    """Run the UPDATE that ``build`` makes of the values and the expressions.

    Return the number of changed rows.
    """
    alias = router.db_for_write(model)
    prepared = _compile_update(build, model, alias, db_now(), values, *expressions)
    return _execute(prepared, alias, model, expressions)


def insert_where(
    build: BuildInsert, model: type[models.Model], *values: Any, **expressions: Any
) -> int:
    """Insert the row that ``build`` makes, if a row of ``model`` fulfils its condition.

    Return 1, or 0 if none does. The row that does is locked in share mode until the transaction
    ends: an update of it waits, and an update that came first is waited for and then counts. SQLite
    has one lock for all, which an INSERT takes before it reads.
    """
    alias = router.db_for_write(model)
    sql, parameters = _compile_insert(build, model, alias, db_now(), values, *expressions)
    locking = sql + SHARE_LOCKS.get(connections[alias].vendor, "")
    return _execute((locking, parameters), alias, model, expressions)


def insert_from(build: BuildInsert, model: type[models.Model], **expressions: Any) -> int:
    """Insert one row for each row of ``model`` that ``build`` chooses; ``build`` makes both.

    Return the number of rows. Takes no lock: the transaction has changed or locked the chosen rows.
    """
    alias = router.db_for_write(model)
    prepared = _compile_insert(build, model, alias, db_now(), (), *expressions)
    return _execute(prepared, alias, model, expressions)


def select(
    build: Callable[..., Any], model: type[models.Model], *values: Any, **expressions: Any
) -> list[Sequence[Any]]:
    """Return the rows of the query that ``build`` makes of all rows and the values."""
    alias = router.db_for_write(model)
    prepared, converters = _compile_select(build, model, alias, db_now(), values, *expressions)
    with connections[alias].cursor() as cursor:
        cursor.execute(*_filled_in(prepared, alias, model, expressions))
        rows = cursor.fetchall()
    compiler: Any = Query(model).get_compiler(alias)
    return list(compiler.apply_converters(rows, converters))


# The arguments of these functions are the keys of their caches. ``_now`` is one of them because the
# SQL holds the expression of ``db_now()``.


@lru_cache
def _compile_update(
    build: Build,
    model: type[models.Model],
    alias: str,
    _now: Expression,
    values: tuple[Any, ...],
    *names: str,
) -> SQL:
    rows, changes = build(model._default_manager.using(alias), *values, **_placeholders(names))
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(changes)
    sql, parameters = query.get_compiler(alias).as_sql()
    return sql, tuple(parameters)


@lru_cache
def _compile_insert(
    build: BuildInsert,
    model: type[models.Model],
    alias: str,
    _now: Expression,
    values: tuple[Any, ...],
    *names: str,
) -> SQL:
    row, sources = build(model._default_manager.using(alias), *values, **_placeholders(names))
    written = [field for field in row._meta.concrete_fields if not _is_automatic(field)]
    fields = {f"new_{field.attname}": field for field in written}
    stored = {name: _stored(getattr(row, name[4:]), field) for name, field in fields.items()}
    query = sources.annotate(**stored).values_list(*stored).query
    sql, parameters = query.get_compiler(alias).as_sql()
    quote = connections[alias].ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields.values())
    return f"INSERT INTO {quote(row._meta.db_table)} ({columns}) {sql}", tuple(parameters)


def _is_automatic(field: models.Field[Any, Any]) -> bool:
    return isinstance(field, models.AutoField)


def _stored(value: Any, field: models.Field[Any, Any]) -> Expression:
    is_expression = hasattr(value, "resolve_expression")
    return ExpressionWrapper(value, field) if is_expression else Stored(value, field)


@lru_cache
def _compile_select(
    build: Callable[..., Any],
    model: type[models.Model],
    alias: str,
    _now: Expression,
    values: tuple[Any, ...],
    *names: str,
) -> tuple[SQL, Any]:
    query = build(model._default_manager.using(alias), *values, **_placeholders(names)).query
    compiler = query.get_compiler(alias)
    sql, parameters = compiler.as_sql()
    converters = compiler.get_converters([column for column, *_ in compiler.select])
    return (sql, tuple(parameters)), converters


def _placeholders(names: Iterable[str]) -> dict[str, Placeholder]:
    return {name: Placeholder(name) for name in names}


def _execute(
    prepared: SQL, alias: str, model: type[models.Model], expressions: Mapping[str, Any]
) -> int:
    """Fill in the placeholders, and return the number of rows that the statement changed."""
    sql, parameters = _filled_in(prepared, alias, model, expressions)
    with transaction.mark_for_rollback_on_error(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def _filled_in(
    prepared: SQL, alias: str, model: type[models.Model], expressions: Mapping[str, Any]
) -> SQL:
    sql, marked = prepared
    compiler = Query(model).get_compiler(alias)
    parameters: list[Any] = []
    for parameter in marked:
        if isinstance(parameter, Placeholder):
            expression, own = compiler.compile(expressions[parameter.name])
            sql = sql.replace(parameter.mark, expression, 1)
            parameters += own
        else:
            parameters.append(parameter)
    return sql, tuple(parameters)
