"""A request that writes messages: its options, and how its rows are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from django import forms
from django.contrib.auth.base_user import AbstractBaseUser
from django.views.decorators.debug import sensitive_variables

from ...exceptions import RowError
from ...models import SmsMessage
from ...outbox import MAX_ERRORS, write_many
from ..permissions import confined_to
from ..strict_view import ParameterForm
from .bad_rows import Written, skip_bad_rows
from .daily_budget import charge_to, make_budget
from .request_rows import read_rows

DRY_RUN, ON_ERROR = "dry_run", "on_error"


class Options(NamedTuple):
    """The options of a request, from its query parameters."""

    #: Judge the rows and write none.
    dry_run: bool = False
    #: Write the good rows of a list that has bad ones.
    skip: bool = False


class OptionsForm(ParameterForm):
    """The query parameters."""

    dry_run = forms.ChoiceField(choices=[(one, one) for one in ("false", "true")], required=False)
    on_error = forms.ChoiceField(choices=[(one, one) for one in ("refuse", "skip")], required=False)


def read_options(parameters: Mapping[str, Any]) -> Options:
    """Return the options of a request. Raise ``ValidationError`` by parameter."""
    given = OptionsForm(parameters).read()
    return Options(given.get(DRY_RUN) == "true", given.get(ON_ERROR) == "skip")


class WriteRequest:
    """The rows of a request, to be written for its user."""

    def __init__(self, user: AbstractBaseUser, given: Sequence[Any], options: Options) -> None:
        self.user = user
        self.given = given
        self.skip, self.dry_run = options.skip, options.dry_run
        # With ``skip``, every bad row must be known before the others are written.
        self._max_errors = None if options.skip else MAX_ERRORS
        self._write_many = partial(
            write_many,
            confined_to=confined_to(user),
            past="refuse",
            last_check=charge_to(user.pk),
            dry_run=self.dry_run,
            max_errors=self._max_errors,
        )

    @sensitive_variables()
    def write(self) -> Written:
        """Write the rows: all of them, or the good ones. Raise ``InvalidRows``."""
        make_budget(self.user.pk)
        if self.skip:
            return skip_bad_rows(len(self.given), self._write)
        return Written(self._write(range(len(self.given)), []), [])

    def _write(self, places: Sequence[int], errors: Sequence[RowError]) -> list[SmsMessage]:
        """Write the rows at these places; the others have these errors."""
        return self._write_many(self._read(places))

    def _read(self, places: Sequence[int]) -> list[dict[str, Any]]:
        rows = read_rows([self.given[place] for place in places], max_errors=self._max_errors)
        return [row | {"created_by": self.user} for row in rows]
