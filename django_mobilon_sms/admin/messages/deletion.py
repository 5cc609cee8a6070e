"""Deleting messages that nothing will happen to any more, and no others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.contrib.admin import actions
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.db import router, transaction
from django.db.models import BooleanField, ExpressionWrapper, ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from ...models import ENDED, MessageQuerySet, SmsMessage, retry_on_lock
from ..actions.catalogue import PATIENCE
from ..actions.mixin import MessageModelAdmin

R = TypeVar("R")


ALIVE = _("%(message)s: only ended messages can be deleted.")


CHANGED = _("Nothing was deleted: a message has changed meanwhile. Only ended ones can be deleted.")


class EndedOnly(MessageModelAdmin):
    """Refuses to delete what may still be sent, or is still asked for."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The messages, each knowing whether it has ended."""
        has_ended = ExpressionWrapper(ENDED, output_field=BooleanField())
        return super().get_queryset(request).annotate(has_ended=has_ended)

    def has_delete_permission(self, request: HttpRequest, obj: SmsMessage | None = None) -> bool:
        """Django's permission, and an ended message."""
        return super().has_delete_permission(request, obj) and (obj is None or _has_ended(obj))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Those that have not ended stand in the way: they are named, and nothing is deleted."""
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        if self.has_delete_permission(request):
            lacking.discard(self.opts.verbose_name)
            protected += [ALIVE % {"message": each} for each in objs if not _has_ended(each)]
        return deleted, counts, lacking, protected

    @admin.action(
        permissions=["delete"],
        description=actions.delete_selected.short_description,  # type: ignore[attr-defined]
    )
    def delete_selected(
        self, request: HttpRequest, queryset: MessageQuerySet
    ) -> HttpResponse | None:
        """Django's own, with what it does and what it records in one transaction."""
        attempt = partial(_at_once, actions.delete_selected, self, request, queryset)
        return self._unless_changed(request, attempt)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's own; what lives, or has changed meanwhile, is told."""
        message = self.get_object(request, unquote(object_id))
        if message is not None and self.has_delete_permission(request) and not _has_ended(message):
            self.message_user(request, ALIVE % {"message": message}, messages.ERROR)
            return self._to_list()
        attempt = partial(super().delete_view, request, object_id, extra_context)
        return self._unless_changed(request, attempt) or self._to_list()

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        """Back to the list, where Django goes only with those who may change a message."""
        response = super().response_delete(request, obj_display, obj_id)
        return response if IS_POPUP_VAR in request.POST else self._to_list()

    def _unless_changed(self, request: HttpRequest, attempt: Callable[[], R]) -> R | None:
        alias = router.db_for_write(SmsMessage)
        try:
            return retry_on_lock(attempt, using=alias, seconds=PATIENCE)
        except ProtectedError:
            self.message_user(request, str(CHANGED), messages.ERROR)
            return None

    def _to_list(self) -> HttpResponse:
        page = "admin:mobilon_sms_smsmessage_changelist"
        return HttpResponseRedirect(reverse(page, current_app=self.admin_site.name))


def _at_once(action: Callable[..., R], *args: Any) -> R:
    with transaction.atomic(using=router.db_for_write(SmsMessage)):
        return action(*args)


def _has_ended(message: SmsMessage) -> bool:
    """As the admin's query told, or else the database."""
    told: bool | None = getattr(message, "has_ended", None)
    if told is None:
        return SmsMessage.objects.filter(pk=message.pk).ended().exists()
    return told
