"""docs/reference/schema.rst: tables, columns and indexes as the models have them."""

from __future__ import annotations

from tests.support.documents import table
from tests.support.schema_tables import BLOCK, PAGE, models, rendered


def test_tables_are_those_of_the_models():
    assert {row[0] for row in table(PAGE, "tables-table")} == set(models())


def test_columns_are_rendered_from_the_models():
    text = PAGE.read_text(encoding="utf-8")
    assert {name for _begin, name, _end in BLOCK.findall(text)} == set(models())
    assert text == rendered(), "run: python -m tests.support.schema_tables"


def test_indexes_are_those_of_the_models():
    of_models = [
        [index.name, ", ".join(index.fields)]
        for model in models().values()
        for index in model._meta.indexes
    ]
    documented = [row[:2] for row in table(PAGE, "indexes-table")]
    assert sorted(documented) == sorted(of_models)
    assert all(row[2] for row in table(PAGE, "indexes-table"))
