"""The settings in docs/reference/settings.rst, from their declarations.

``python -m tests.support.settings_tables`` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django_mobilon_sms.conf.declaration import Setting
from django_mobilon_sms.conf.settings import declared
from tests.support.documents import DOCS

PAGE = DOCS / "reference/settings.rst"

Settings = Iterable[Setting[Any]]

#: Between these lines stands what is generated. The word is a setting's ``use``.
BLOCK = re.compile(
    r'(\.\. "python -m tests\.support\.settings_tables" writes (\w+) from conf/settings\.py\n)'
    r".*?(\.\. the settings end\n)",
    re.DOTALL,
)


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


def rendered() -> str:
    """Return the page with the settings as their declarations are now."""

    def block(found: re.Match[str]) -> str:
        begin, use, end = found.groups()
        settings = [s for s in declared() if s.use == use]
        return f"{begin}\n{as_entries(settings)}\n\n{end}"

    return BLOCK.sub(block, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(rendered(), encoding="utf-8")
