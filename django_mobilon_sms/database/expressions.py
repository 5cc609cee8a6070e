"""Expressions and a condition for many rows, which Django builds more slowly than they run."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models
from django.db.models import Expression, F, Value
from django.db.models.lookups import Lookup
from django.db.models.sql.compiler import SQLCompiler

#: SQL and its parameters.
SQL = tuple[str, tuple[Any, ...]]

# Made once, because making a field takes longer than converting its values.
TEXT: models.TextField[Any, Any] = models.TextField()
INTEGER: models.IntegerField[Any, Any] = models.IntegerField()
KEY: models.BigIntegerField[Any, Any] = models.BigIntegerField()
TIME: models.DateTimeField[Any, Any] = models.DateTimeField()
JSON: models.JSONField[Any, Any] = models.JSONField()
BINARY: models.BinaryField[Any, Any] = models.BinaryField()
UUID: models.UUIDField[Any, Any] = models.UUIDField()


def batch_key(batch: models.Model) -> Value:
    """Return the primary key of a batch, the token of every update of its messages."""
    return Value(batch.pk, UUID)


class PrimaryKeys(Expression):
    """A list of integer primary keys, for ``PkIn``.

    They are written into the SQL, because each bound parameter costs the driver more than it costs
    the database.
    """

    def __init__(self, pks: Iterable[int]) -> None:
        super().__init__(output_field=KEY)
        self.pks = pks

    def as_sql(self, compiler: Any, connection: Any) -> SQL:
        """Return ``1, 2, 3``."""
        return ", ".join([str(int(pk)) for pk in self.pks]), ()


class BatchKeys(Expression):
    """A list of primary keys of batches, for ``PkIn``."""

    def __init__(self, keys: Iterable[uuid.UUID]) -> None:
        super().__init__(output_field=UUID)
        self.keys = keys

    def as_sql(self, compiler: Any, connection: Any) -> SQL:
        """Return a parameter for each key."""
        keys = [self.output_field.get_db_prep_value(key, connection) for key in self.keys]
        return ", ".join(["%s"] * len(keys)), tuple(keys)


class PkIn(Lookup):
    """The condition ``id IN (1, 2)``. Django's own ``In`` examines every key several times."""

    lookup_name = "pk_in"
    prepare_rhs = False

    def __init__(self, keys: Expression, *, field: str = "pk") -> None:
        super().__init__(F(field), keys)

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> SQL:
        """Return the condition."""
        column, _ = self.process_lhs(compiler, connection)
        keys, parameters = compiler.compile(self.rhs)
        return f"{column} IN ({keys})", tuple(parameters)


class ValuePerPk(Expression):
    """A value for each primary key: ``CASE id WHEN 1 THEN 'a' WHEN 2 THEN 'b' END``.

    On PostgreSQL it is looked up in a JSON object, because CASE compares each row with every key.
    Django's own ``Case`` builds a tree of expressions for every row, which takes longer than the
    update.
    """

    def __init__(self, values: Mapping[int, Any], output_field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.values = values

    def as_sql(self, compiler: Any, connection: Any) -> SQL:
        """Return the CASE, or one parameter if all rows get the same value."""
        return self._shared(connection) or self._case(connection)

    def as_postgresql(self, compiler: Any, connection: Any) -> SQL:
        """Return the lookup, or one parameter if all rows get the same value.

        Either is cast: a parameter has no type, and ``->>`` returns text.
        """
        sql, parameters = self._shared(connection) or self._lookup(connection)
        return f"({sql})::{self.output_field.db_type(connection)}", parameters

    def _shared(self, connection: Any) -> SQL | None:
        distinct = set(self.values.values())
        if len(distinct) != 1:
            return None
        return "%s", (self._prepared(distinct.pop(), connection),)

    def _case(self, connection: Any) -> SQL:
        whens, parameters = [], []
        for pk, value in self.values.items():
            if isinstance(value, str) and value.isalnum() and value.isascii():
                whens.append(f"WHEN {int(pk)} THEN '{value}'")  # no parameter: see PrimaryKeys
            else:
                whens.append(f"WHEN {int(pk)} THEN %s")
                parameters.append(self._prepared(value, connection))
        return f"CASE {_key(connection)} {' '.join(whens)} END", tuple(parameters)

    def _lookup(self, connection: Any) -> SQL:
        values = {pk: self._prepared(value, connection) for pk, value in self.values.items()}
        json_object = json.dumps(values, default=str)  # for times
        return f"%s::jsonb ->> {_key(connection)}::text", (json_object,)

    def _prepared(self, value: Any, connection: Any) -> Any:
        return self.output_field.get_db_prep_value(value, connection)


def _key(connection: Any) -> str:
    name: str = connection.ops.quote_name("id")
    return name


class Stored(Expression):
    """A value as the field stores it in a new row."""

    def __init__(self, value: Any, field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.value = value

    def as_sql(self, compiler: Any, connection: Any) -> SQL:
        """Return a parameter."""
        return "%s", (self.output_field.get_db_prep_save(self.value, connection),)
