"""The settings in README.rst and docs/reference/settings.rst, from their declarations.

``python -m tests.support.settings_tables`` writes both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django_mobilon_sms.conf.declaration import Setting
from django_mobilon_sms.conf.settings import declared
from tests.support.documents import DOCS, README

Settings = Iterable[Setting[Any]]

#: Between these lines stands what is generated. The word is a setting's ``use``, or "all".
BLOCK = re.compile(
    r'(\.\. "python -m tests\.support\.settings_tables" writes (\w+) from conf/settings\.py\n)'
    r".*?(\.\. the settings end\n)",
    re.DOTALL,
)


def as_table(settings: Settings) -> str:
    """Return the settings as a table, each in one line."""
    header = ["setting", "default", "meaning"]
    rows = [header, *([f"``{s.name}``", default(s), s.doc] for s in settings)]
    lines = ["   * - " + "\n     - ".join(row) for row in rows]
    return "\n".join([".. list-table::\n   :header-rows: 1\n   :name: settings-table\n", *lines])


def as_entries(settings: Settings) -> str:
    """Return the settings as entries that a link can lead to."""
    return "\n\n".join(map(entry, settings))


def entry(setting: Setting[Any]) -> str:
    """Return one setting with everything that there is to know about it."""
    return (
        f".. confval:: {setting.name}\n"
        f"   :type: {setting.allowed.words}\n"
        f"   :default: {default(setting)}\n"
        "\n"
        f"   {setting.doc} {setting.more}".rstrip()
        + f" Checked by ``{setting.id}``."
    )


def default(setting: Setting[Any]) -> str:
    """Return the default as reStructuredText; settings that the vendor gives have none."""
    value = setting.default
    if value == "":
        return "required"
    if isinstance(value, frozenset):
        value = ", ".join(map(str, sorted(value)))
    return f"``{value}``".replace("'", '"')


RENDERED: dict[Path, Callable[[Settings], str]] = {
    README: as_table,
    DOCS / "reference/settings.rst": as_entries,
}


def rendered(path: Path) -> str:
    """Return the document with the settings as their declarations are now."""

    def block(found: re.Match[str]) -> str:
        begin, use, end = found.groups()
        settings = [s for s in declared() if use in ("all", s.use)]
        return f"{begin}\n{RENDERED[path](settings)}\n\n{end}"

    return BLOCK.sub(block, path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    for path in RENDERED:
        path.write_text(rendered(path), encoding="utf-8")
