"""Query parameters: a view that ignores none, and a form that reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import get_error_detail
from rest_framework.request import Request
from rest_framework.settings import api_settings

from .problem_view import ProblemView

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

#: Parameters that may be given more than once.
REPEATABLE = {"status"}


class StrictView(ProblemView):
    """A view that refuses query parameters it does not know."""

    @property
    def parameters(self) -> Collection[str]:
        """The query parameters that the current action reads."""
        return ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check what DRF checks, then the parameters. Raise ``ValidationError`` by parameter."""
        super().initial(request, *args, **kwargs)
        if getattr(self, "action", None) is None:  # the method is not allowed: said next
            return
        given = request.query_params
        known = {*self.parameters, api_settings.URL_FORMAT_OVERRIDE}
        text = _("Do not write a phone number in a URL: POST it to search/ as JSON.")
        refuse({"number"} & set(given), text, code="number_in_url")
        refuse(set(given) - known, _("There is no such parameter."), code="unknown_parameter")
        repeated = {name for name in given if len(given.getlist(name)) > 1} - REPEATABLE
        refuse(repeated, _("Give this parameter only once."), code="repeated")


class ParameterForm(forms.Form):
    """Query parameters. One that is given needs a value: an empty filter would mean every row."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        for name in set(self.fields) & set(data):
            self.fields[name].required = True

    def read(self) -> dict[str, Any]:
        """Return the parameters that are given. Raise ``ValidationError`` by parameter."""
        if not self.is_valid():
            faults = ValidationError(self.errors.as_data())
            raise serializers.ValidationError(get_error_detail(faults))
        return {name: self.cleaned_data[name] for name in set(self.fields) & set(self.data)}


def refuse(names: Collection[str], message: StrPromise, *, code: str) -> None:
    """Raise ``ValidationError`` with this message for each of the parameters, if there are any."""
    if names:
        raise serializers.ValidationError({name: [message] for name in sorted(names)}, code=code)
