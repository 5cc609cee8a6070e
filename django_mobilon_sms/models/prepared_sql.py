"""What a worker asks for each batch: its SQL is built by Django once, and filled in each time.

Django takes longer to build an update of a hundred rows than a database to run it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db import connections, models, router, transaction
from django.db.models import Expression, F, Value
from django.db.models.lookups import Lookup
from django.db.models.sql import InsertQuery, Query, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler

from .clock import db_now

if TYPE_CHECKING:
    KeyLookup = Lookup[Any]
else:
    KeyLookup = Lookup

SQL = tuple[str, tuple[Any, ...]]


# Made once: a field takes longer to make than its values to write.
TEXT: models.TextField[Any, Any] = models.TextField()


INTEGER: models.IntegerField[Any, Any] = models.IntegerField()


TIME: models.DateTimeField[Any, Any] = models.DateTimeField()


JSON: models.JSONField[Any, Any] = models.JSONField()


UUID: models.UUIDField[Any, Any] = models.UUIDField()


class Keys(Expression):
    """Primary keys, written out: each parameter costs the driver more than it costs a database."""

    def __init__(self, pks: Iterable[int]) -> None:
        super().__init__(output_field=models.BigIntegerField())
        self.pks = pks

    def as_sql(self, compiler: Any, connection: Any) -> SQL:
        """``1, 2, 3``."""
        return ", ".join([str(int(pk)) for pk in self.pks]), ()


def key(batch: models.Model) -> Value:
    """The key of a batch: the token of every update of its messages."""
    return Value(batch.pk, UUID)


class PkIn(KeyLookup):
    """The rows with these keys: ``id IN (1, 2)``. Django's own ``In`` looks at each many times."""

    lookup_name = "named"
    prepare_rhs = False

    def __init__(self, keys: Expression) -> None:
        super().__init__(F("pk"), keys)

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> SQL:
        """The condition."""
        column, _ = self.process_lhs(compiler, connection)
        keys, parameters = compiler.compile(self.rhs)
        return f"{column} IN ({keys})", tuple(parameters)


class CasePerPk(Expression):
    """The value that belongs to each row: ``CASE id WHEN 1 THEN 'a' WHEN 2 THEN 'b' END``.

    Django's own ``Case`` builds an expression tree a row, which takes longer than the update.
    """

    def __init__(self, values: Mapping[int, Any], output_field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.values = values

    def as_sql(self, compiler: Any, connection: Any) -> SQL:
        """The CASE, one WHEN a row; the value alone where all rows have the same."""
        prepare = self.output_field.get_db_prep_value
        distinct = dict.fromkeys(self.values.values())
        if len(distinct) == 1:
            return "%s", tuple(prepare(value, connection) for value in distinct)
        whens, parameters = [], []
        for pk, value in self.values.items():
            if isinstance(value, str) and value.isalnum() and value.isascii():
                whens.append(f"WHEN {int(pk)} THEN '{value}'")  # written out, as the keys are
            else:
                whens.append(f"WHEN {int(pk)} THEN %s")
                parameters.append(prepare(value, connection))
        return f"CASE {connection.ops.quote_name('id')} {' '.join(whens)} END", tuple(parameters)

    def as_postgresql(self, compiler: Any, connection: Any) -> SQL:
        """With its type, which PostgreSQL can not infer from bound parameters."""
        sql, params = self.as_sql(compiler, connection)
        return f"({sql})::{self.output_field.db_type(connection)}", params


class Placeholder(Expression):
    """Stands for an expression that each call brings."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.mark = f"<{name}>"

    def as_sql(self, compiler: Any, connection: Any) -> SQL:
        """A mark in the SQL, and itself as the only parameter."""
        return self.mark, (self,)


#: The rows to update, and their new values.
Change = tuple[Any, dict[str, Any]]


#: Makes a change of all rows and of expressions by name.
Build = Callable[..., Change]


def update(build: Build, model: type[models.Model], **expressions: Any) -> int:
    """Run the update that ``build`` makes of these expressions; returns how many rows it changed.

    ``build`` is called once for a database, with blanks in their place.
    """
    alias = router.db_for_write(model)
    prepared = _update(build, model, alias, db_now(), *expressions)
    return _run(prepared, Query(model).get_compiler(alias), alias, expressions)


@lru_cache
def _update(
    build: Build, model: type[models.Model], alias: str, _now: Expression, *blanks: str
) -> SQL:
    """The update with blanks. What it is built of is the key of its cache."""
    rows, values = build(
        model._default_manager.using(alias), **{name: Placeholder(name) for name in blanks}
    )
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(values)
    sql, parameters = query.get_compiler(alias).as_sql()
    return sql, tuple(parameters)


def insert(
    build: Callable[..., models.Model], model: type[models.Model], *values: Any, **expressions: Any
) -> None:
    """Write the row that ``build`` makes of the model, these values and these expressions.

    ``build`` is called once for a database and these values, with blanks for the expressions.
    """
    alias = router.db_for_write(model)
    prepared = _insert(build, model, alias, db_now(), values, tuple(expressions))
    _run(prepared, Query(model).get_compiler(alias), alias, expressions)


@lru_cache
def _insert(
    build: Callable[..., models.Model],
    model: type[models.Model],
    alias: str,
    _now: Expression,
    values: tuple[Any, ...],
    blanks: tuple[str, ...],
) -> SQL:
    row = build(model, *values, **{name: Placeholder(name) for name in blanks})
    query: Any = InsertQuery(model)
    query.insert_values(model._meta.concrete_fields, [row])
    [(sql, parameters)] = query.get_compiler(alias).as_sql()
    return sql, tuple(parameters)


def _run(prepared: SQL, compiler: SQLCompiler, alias: str, expressions: Mapping[str, Any]) -> int:
    sql, marked = prepared
    parameters: list[Any] = []
    for value in marked:
        if isinstance(value, Placeholder):
            part, own = compiler.compile(expressions[value.name])
            sql = sql.replace(value.mark, part, 1)
            parameters += own
        else:
            parameters.append(value)
    with transaction.mark_for_rollback_on_error(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def select(
    build: Callable[..., Any], model: type[models.Model], *values: int
) -> list[Sequence[Any]]:
    """The columns of the rows that ``build`` finds among all, as Django gives their values.

    ``build`` is called once for a database and these values.
    """
    alias = router.db_for_write(model)
    sql, parameters, converters = _select(build, model, alias, db_now(), *values)
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = cursor.fetchall()
    compiler: Any = Query(model).get_compiler(alias)
    return list(compiler.apply_converters(rows, converters))


@lru_cache
def _select(
    build: Callable[..., Any],
    model: type[models.Model],
    alias: str,
    _now: Expression,
    *values: int,
) -> tuple[str, tuple[Any, ...], Any]:
    query = build(model._default_manager.using(alias), *values).query
    compiler = query.get_compiler(alias)
    sql, parameters = compiler.as_sql()
    converters = compiler.get_converters([column for column, *_ in compiler.select])
    return sql, tuple(parameters), converters
