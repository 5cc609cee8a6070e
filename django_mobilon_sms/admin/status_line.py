"""The line that shows whether messages go out, with its switches: pause, resume, try now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from ..models import GatewayState
from ..operations import observe_sending
from . import history
from .database_busy import write
from .messages.permissions import MessagePermissions
from .messages.responses import Responses


class Switch(NamedTuple):
    """A button, the change it makes, and the sentence shown and recorded after it."""

    label: Any
    change: Callable[[AbstractBaseUser], int]
    result: Any


SWITCHES = {
    "pause": Switch(
        _("Pause sending"),
        lambda by: GatewayState.objects.pause(by=by),
        _("Sending is paused. Requests under way finish; other messages stay in the queue."),
    ),
    "resume": Switch(
        _("Resume sending"), lambda by: GatewayState.objects.resume(), _("Sending is resumed.")
    ),
    "try-now": Switch(
        _("Try now"),
        lambda by: GatewayState.objects.try_now(),
        _("The worker tests the gateway now, with one message."),
    ),
}


def status_line(request: HttpRequest, *, with_switches: bool) -> dict[str, Any]:
    """Return what the template of the line shows: the state of sending and the useful switches."""
    state = GatewayState.objects.peek()  # because showing a page writes nothing
    sending = observe_sending(state)
    names = ["resume" if state.paused_at else "pause"]
    if sending.word == "blocked" or (sending.word == "probing" and state.probe):
        names.insert(0, "try-now")  # of no use while sending is paused or switched off
    may_switch = with_switches and request.user.has_perm("mobilon_sms.send_smsmessage")
    may_look = with_switches and request.user.has_perm("mobilon_sms.view_smsmessage")
    return {
        "back": request.get_full_path(),
        "sending": sending,
        "links_to_waiting": sending.word == "nobody" and may_look,
        "switches": [(name, SWITCHES[name].label) for name in names if may_switch],
    }


class GatewaySwitches(MessagePermissions, Responses):
    """The view behind the switches: POST only, with the permission to send."""

    @method_decorator(require_POST)
    def switch_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Pause, resume or try now, and show whether anything changed."""
        if not self.has_send_permission(request):
            raise PermissionDenied
        if name not in SWITCHES:
            raise Http404
        switch = SWITCHES[name]
        by = cast(AbstractBaseUser, request.user)
        if write(partial(switch.change, by), GatewayState):
            history.record([GatewayState.objects.current()], switch.result, by=by)
            self.message_user(request, str(switch.result), messages.SUCCESS)
        else:
            self.message_user(request, str(_("Nothing changed.")), messages.INFO)
        if self.has_view_permission(request):
            return HttpResponseRedirect(self._within_admin(request.POST.get("back", "")))
        return HttpResponseRedirect(reverse("admin:index", current_app=self.admin_site.name))
