"""Consumers of webhooks in the admin: how far they have got, and how to start them again."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_POST

from ..conf import conf, configured_webhooks, show_time, to_utc
from ..models import WebhookConsumer
from ..webhooks import ConsumerState, deliver_again, show_count, state_of
from . import history
from .badges import badge, short_moment
from .database_busy import write
from .history import TranslatedHistory
from .non_atomic import NonAtomic

if TYPE_CHECKING:
    from django.urls import URLPattern

    ConsumerModelAdmin = admin.ModelAdmin[WebhookConsumer]
else:
    ConsumerModelAdmin = admin.ModelAdmin

#: The colour and the label of every state.
STATES = {
    "works": ("sent", pgettext_lazy("webhook", "works")),
    "failing": ("unknown", pgettext_lazy("webhook", "fails")),
    "stopped": ("failed", pgettext_lazy("webhook", "stopped")),
    "not_configured": ("none", pgettext_lazy("webhook", "not in the settings")),
}
EXPLANATIONS = {
    "failing": _(
        "The consumer does not accept events. Next try, with one event: %(time)s. The others wait."
    ),
    "stopped": _(
        "The consumer answered 410 at %(time)s and gets no more events. Ask its owner, then start"
        " the webhook again."
    ),
    "not_configured": _("MOBILON_SMS_WEBHOOKS does not name this webhook: it gets no events."),
}
STARTED = _("The webhook was started again.")
NOT_STOPPED = _("The webhook is not stopped.")
AGAIN = _("Events are delivered again from an earlier time.")


class AgainForm(forms.Form):
    """The time from which events are delivered again."""

    since = forms.DateTimeField(
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    )

    def clean_since(self) -> datetime:
        """Return the time in UTC. Raise ``ValidationError`` for one that is out of range."""
        try:
            return to_utc(self.cleaned_data["since"])
        except ValueError as error:
            raise ValidationError(str(error)) from error


@admin.register(WebhookConsumer)
class WebhookAdmin(NonAtomic, TranslatedHistory, ConsumerModelAdmin):
    """Pages of the consumers, which the settings name, with buttons to start and deliver again."""

    actions = None
    list_display = ("name", "state", "behind", "given_up", "last_success", "last_error_sentence")
    fields = (
        "name",
        "state",
        "explanation",
        "address",
        "delivered",
        "behind",
        "given_up",
        "last_success_at",
        "last_error_sentence",
        "last_error_at",
    )
    ordering = ("name",)
    sortable_by = ()

    class Media:
        css = {"all": ("mobilon_sms/admin.css",)}

    def extra_urls(self) -> list[URLPattern]:
        """Return the addresses of the buttons."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/again/", view(self.again_view), name="mobilon_sms_webhook_again"),
            path("<int:pk>/start/", view(self.start_view), name="mobilon_sms_webhook_start"),
        ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the start page lists webhooks: only if some are configured."""
        return bool(conf.WEBHOOKS) and self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return ``False``: the settings name the consumers."""
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: WebhookConsumer | None = None
    ) -> bool:
        """Return ``False``: nobody edits the fields. ``may_act()`` is for the buttons."""
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: WebhookConsumer | None = None
    ) -> bool:
        """Return ``False``: the row holds how far the consumer has got."""
        return False

    def may_act(self, request: HttpRequest) -> bool:
        """Return whether this person may use the buttons."""
        return request.user.has_perm("mobilon_sms.change_webhookconsumer")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list under its own name."""
        context = {"title": capfirst(self.opts.verbose_name_plural)} | (extra_context or {})
        return super().changelist_view(request, context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the buttons for a person who may use them."""
        context |= {"may_act": self.may_act(request), "again_form": AgainForm()}
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(require_POST)
    def start_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Start a consumer that answered 410."""
        consumer = self._consumer(request, pk)
        if write(partial(WebhookConsumer.objects.start, consumer), WebhookConsumer):
            self._done(request, consumer, STARTED, STARTED)
        else:
            self.message_user(request, str(NOT_STOPPED), messages.INFO)
        return self._page(consumer)

    @method_decorator(require_POST)
    def again_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Deliver the events since the posted time again."""
        consumer, form = self._consumer(request, pk), AgainForm(request.POST)
        if not form.is_valid():
            words = _("Enter the date and the time from which events are delivered again.")
            self.message_user(request, str(words), messages.ERROR)
            return self._page(consumer)
        since = form.cleaned_data["since"]
        write(partial(deliver_again, consumer, since), WebhookConsumer)
        notice = _("The events since %(time)s are delivered again.") % {"time": show_time(since)}
        self._done(request, consumer, AGAIN, notice)
        return self._page(consumer)

    def _consumer(self, request: HttpRequest, pk: int) -> WebhookConsumer:
        if not self.may_act(request):
            raise PermissionDenied
        consumer: WebhookConsumer = get_object_or_404(WebhookConsumer.objects.for_write(), pk=pk)
        return consumer

    def _done(
        self, request: HttpRequest, consumer: WebhookConsumer, entry: Any, notice: Any
    ) -> None:
        history.record([consumer], entry, by=cast(AbstractBaseUser, request.user))
        self.message_user(request, str(notice), messages.SUCCESS)

    def _page(self, consumer: WebhookConsumer) -> HttpResponse:
        page = reverse(
            "admin:mobilon_sms_webhookconsumer_change",
            args=[consumer.pk],
            current_app=self.admin_site.name,
        )
        return HttpResponseRedirect(page)

    @admin.display(description=_("state"))
    def state(self, consumer: WebhookConsumer) -> Any:
        """Return whether events are delivered."""
        return badge(*STATES[_state(consumer).state])

    @admin.display(description=_("what happened"))
    def explanation(self, consumer: WebhookConsumer) -> Any:
        """Return why events are not delivered, and the way out."""
        sentence = EXPLANATIONS.get(_state(consumer).state)
        time = show_time(consumer.stopped_at or consumer.next_try_at)
        return sentence and sentence % {"time": time}

    @admin.display(description=_("address"))
    def address(self, consumer: WebhookConsumer) -> str | None:
        """Return the address of the settings, which holds no secret."""
        webhook = _state(consumer).webhook
        return webhook and webhook.url

    @admin.display(description=_("not delivered yet"))
    def behind(self, consumer: WebhookConsumer) -> str:
        """Return the number of events that are not delivered to the consumer yet."""
        return show_count(_state(consumer).behind)

    @admin.display(description=pgettext_lazy("webhook", "given up"))
    def given_up(self, consumer: WebhookConsumer) -> str:
        """Return the number of events that were given up after three days."""
        return show_count(_state(consumer).given_up)

    @admin.display(description=_("last success"))
    def last_success(self, consumer: WebhookConsumer) -> Any:
        """Return when the consumer last accepted an event."""
        return short_moment(consumer.last_success_at)

    @admin.display(description=_("last error"))
    def last_error_sentence(self, consumer: WebhookConsumer) -> str:
        """Return the sentence of the last error, and the HTTP code."""
        return consumer.error_sentence or "-"


def _state(consumer: WebhookConsumer) -> ConsumerState:
    """Return the state of a consumer, which is read once for all its columns."""
    seen: ConsumerState | None = vars(consumer).get("_seen")
    if seen is None:
        webhook = configured_webhooks().get(consumer.name)
        vars(consumer)["_seen"] = seen = state_of(consumer, webhook)
    return seen
