"""The settings table of docs/reference/settings.rst, from the declarations.

``python -m tests.support.settings_tables`` writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django_mobilon_sms.conf.declaration import Setting
from django_mobilon_sms.conf.settings import declared
from tests.support.documents import DOCS

BEGIN = '.. "python -m tests.support.settings_tables" writes the table from conf/settings.py\n'
END = ".. the table ends\n"


def whole(setting: Setting[Any]) -> list[str]:
    """Return the cells of a row of docs/reference/settings.rst."""
    meaning = f"{setting.doc} {setting.more}".rstrip()
    name = f"``{setting.name}``"
    return [name, default(setting), setting.id, setting.allowed.words, meaning]


def default(setting: Setting[Any]) -> str:
    """Return the cell of a default; settings that the vendor gives have an empty one."""
    value = setting.default
    if value == "":
        return "required"
    if isinstance(value, frozenset):
        value = ", ".join(map(str, sorted(value)))
    return f"``{value}``".replace("'", '"')


TABLES: dict[Path, tuple[list[str], Callable[[Setting[Any]], list[str]]]] = {
    DOCS / "reference/settings.rst": (
        ["setting", "default", "check", "must be", "meaning"],
        whole,
    ),
}


def rendered(path: Path) -> str:
    """Return the document with its table as the declarations are now."""
    header, cells = TABLES[path]
    rows = [header, *map(cells, declared())]
    lines = ["   * - " + "\n     - ".join(row) for row in rows]
    table = "\n".join([".. list-table::\n   :header-rows: 1\n   :name: settings-table\n", *lines])
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n\n{END}{after}"


if __name__ == "__main__":
    for path in TABLES:
        path.write_text(rendered(path), encoding="utf-8")
