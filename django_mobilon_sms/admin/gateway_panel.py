"""Whether messages go out now, and an operator's hand on it: pause, resume, try now."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db import router
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from ..limits import quiet_until
from ..models import GatewayState, retry_on_lock
from ..operations import gateway_condition
from .actions.catalogue import PATIENCE
from .actions.mixin import MessageActions

if TYPE_CHECKING:
    from collections.abc import Callable

#: By name: the word on the button, what it does, and what is said and recorded after it.
SWITCHES: dict[str, tuple[Any, Callable[[AbstractBaseUser], int], Any]] = {
    "pause": (
        _("Pause sending"),
        lambda by: GatewayState.objects.pause(by=by),
        _("Sending is paused. What is under way ends; nothing else goes out."),
    ),
    "resume": (
        _("Resume sending"),
        lambda by: GatewayState.objects.resume(),
        _("Sending is resumed."),
    ),
    "try-now": (
        _("Try now"),
        lambda by: GatewayState.objects.try_now(),
        _("The worker tries the gateway with one message at once."),
    ),
}


def panel() -> dict[str, Any]:
    """What the panel shows: a word for its colour, the state, and the switches of use now."""
    state = GatewayState.objects.peek()
    word = gateway_condition(state)
    names = ["resume" if state.paused_at else "pause"]
    if state.blocked_until and (state.blocked_until > state.now or state.probe):
        names.append("try-now")
    return {
        "word": word,
        "quiet_until": quiet_until(state.now) if word == "quiet" else None,
        "state": state,
        "switches": [(name, SWITCHES[name][0]) for name in names],
    }


class GatewaySwitches(MessageActions):
    """The switches' own addresses: POST only, with the permission to send."""

    def get_urls(self) -> list[URLPattern]:
        """The switches before the admin's own, which take any path."""
        view = self.admin_site.admin_view(self.switch_view)
        own = path("gateway/<slug:name>/", view, name="mobilon_sms_gateway")
        return [own, *super().get_urls()]

    @method_decorator(require_POST)
    def switch_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Pause, resume or try now; says whether it changed anything."""
        if not self.has_send_permission(request):
            raise PermissionDenied
        if name not in SWITCHES:
            raise Http404
        _label, switch, done = SWITCHES[name]
        by = cast(AbstractBaseUser, request.user)
        alias = router.db_for_write(GatewayState)
        if retry_on_lock(partial(switch, by), using=alias, seconds=PATIENCE):
            state = GatewayState.objects.current()
            LogEntry.objects.log_actions(by.pk, [state], CHANGE, str(done))
            self.message_user(request, str(done), messages.SUCCESS)
        else:
            self.message_user(request, str(_("Nothing was to be changed.")), messages.INFO)
        if self.has_view_permission(request):
            return HttpResponseRedirect(self._known(request.POST.get("back", "")))
        return HttpResponseRedirect(reverse("admin:index", current_app=self.admin_site.name))
