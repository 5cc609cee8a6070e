"""What must hold before a worker starts."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured

from .cross_checks import cross_problems
from .database_checks import database_problems
from .declaration import PREFIX, Problem
from .settings import declared


def setting_problems() -> list[Problem]:
    """Return what is wrong with the settings."""
    wrong = [problem for setting in declared() if (problem := setting.problem())]
    return [*wrong, *cross_problems([problem.setting for problem in wrong])]


def require_valid(*names: str) -> None:
    """Raise ``ImproperlyConfigured`` that names every wrong setting, of all or of these."""
    problems = setting_problems()
    if names:
        problems = [one for one in problems if one.setting.removeprefix(PREFIX) in names]
    _require_none(problems)


def require_fit(alias: str) -> None:
    """Raise ``ImproperlyConfigured`` if this database would keep times, texts or outcomes wrong."""
    _require_none(database_problems(alias))


def _require_none(problems: Iterable[Problem]) -> None:
    if lines := [f"({p.id}) {p.message} {p.hint}" for p in problems]:
        raise ImproperlyConfigured("\n".join(lines))
