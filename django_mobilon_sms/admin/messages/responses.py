"""Sentences and redirects for an operator who pressed a button."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from .permissions import MessageModelAdmin


class Responses(MessageModelAdmin):
    """Sentences with a count, and redirects within this admin."""

    def _show_count(self, request: HttpRequest, level: int, sentence: Any, count: int) -> None:
        """Show the sentence, unless the count is 0."""
        if count > 0:
            self.message_user(request, str(sentence % {"count": count}), level)

    def _address(self, page: str, *args: Any) -> str:
        """Return the address of a page of the app in this admin."""
        name = f"admin:mobilon_sms_{page}"
        return reverse(name, args=args, current_app=self.admin_site.name)

    def _back(self, request: HttpRequest) -> HttpResponseRedirect:
        """Redirect to where the action was chosen: the page of a message, or the filtered list."""
        if "from_page" not in request.POST:
            return HttpResponseRedirect(request.get_full_path())
        pk = request.POST[ACTION_CHECKBOX_NAME]
        return HttpResponseRedirect(self._address("smsmessage_change", pk))

    def _within_admin(self, address: str) -> str:
        """Return the address, or that of the list: a form could name any other site."""
        inside = address.startswith(reverse("admin:index", current_app=self.admin_site.name))
        if inside and url_has_allowed_host_and_scheme(address, allowed_hosts=None):
            return address
        return self._address("smsmessage_changelist")
