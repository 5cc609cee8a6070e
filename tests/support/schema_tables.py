"""The columns in docs/reference/schema.rst, from the models.

``python -m tests.support.schema_tables`` writes them.
"""

from __future__ import annotations

import re

import django
from django.apps import apps
from django.db.models import Field, Model

from tests.support.documents import DOCS

PAGE = DOCS / "reference/schema.rst"
#: Between these lines stand the columns of a table.
BLOCK = re.compile(
    r'(\.\. "python -m tests\.support\.schema_tables" writes the columns of (\w+)\n)'
    r".*?(\.\. the columns end\n)",
    re.DOTALL,
)


def models() -> dict[str, type[Model]]:
    """Return the app's models by the name of their table."""
    return {m._meta.db_table: m for m in apps.get_app_config("mobilon_sms").get_models()}


def cells(field: Field[object, object]) -> str:
    """Return the row of a column: its name, Django's type of it, and whether it may be NULL."""
    kind = field.get_internal_type()
    if field.related_model:
        kind = f"{kind} to {field.related_model._meta.db_table}"
    elif kind == "CharField":
        kind = f"{kind} of {field.max_length}"
    return f'"``{field.column}``", "{kind}", "{"yes" if field.null else "no"}"'


def rendered() -> str:
    """Return the page with the columns as the models have them now."""

    def block(found: re.Match[str]) -> str:
        begin, name, end = found.groups()
        rows = [cells(field) for field in models()[name]._meta.concrete_fields]
        lines = [".. csv-table::", "   :header: column, type, may be NULL", "", *rows]
        body = "\n".join(line if not line.startswith('"') else f"   {line}" for line in lines)
        return f"{begin}\n{body}\n\n{end}"

    return BLOCK.sub(block, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    django.setup()
    PAGE.write_text(rendered(), encoding="utf-8")
