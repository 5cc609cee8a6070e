"""Declaration of one setting, and what can be wrong with it."""

from __future__ import annotations

from typing import Generic, Literal, NamedTuple, TypeVar

from django.conf import settings

from .validators import Allowed, or_none

PREFIX = "MOBILON_SMS_"

#: Who sets a setting: everybody, whoever has such a policy, or hardly anybody.
Use = Literal["must", "policy", "rare"]

T = TypeVar("T")


class Problem(NamedTuple):
    """A wrong setting or database: its check's id, its name, what is wrong, and the way out."""

    id: str
    setting: str
    message: str
    hint: str


class Setting(Generic[T]):
    """One setting, named ``MOBILON_SMS_`` and its attribute's name.

    A setting whose default is ``None`` may also be set to ``None``.
    ``hint`` is the way out that ``manage.py check`` prints. ``doc`` is the meaning in one line of
    reStructuredText, and ``more`` is what only docs/reference/settings.rst adds, in the section
    that ``use`` names.
    """

    def __init__(
        self,
        default: T,
        id_: str,
        allowed: Allowed,
        *,
        doc: str,
        more: str = "",
        hint: str = "",
        use: Use = "rare",
    ) -> None:
        self.default = default
        self.id = id_
        self.allowed = or_none(allowed) if default is None else allowed
        self.hint = hint or f"Remove the setting to use the default, {default!r}."
        self.doc = doc
        self.more = more
        self.use = use

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = PREFIX + name

    def __get__(self, instance: object, owner: type) -> T:
        value: T = getattr(settings, self.name, self.default)
        return value

    def problem(self) -> Problem | None:
        """Return what is wrong with the value that the setting has now, if anything."""
        if self.allowed.accepts(getattr(settings, self.name, self.default)):
            return None
        message = f"{self.name} must be {self.allowed.words}."
        return Problem(self.id, self.name, message, self.hint)
