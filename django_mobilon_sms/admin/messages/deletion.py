"""Delete ended messages only, since nothing will happen to them any more."""

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
from django.utils.translation import gettext_lazy as _

from ...models import MessageQuerySet, SmsMessage, ended
from ..database_busy import write
from .responses import Responses

R = TypeVar("R")


NOT_ENDED = _("%(message)s: only ended messages can be deleted.")


CHANGED = _("Nothing was deleted: a message has changed meanwhile. Only ended ones can be deleted.")


class Deletion(Responses):
    """Refuse to delete a message that may still be sent, or whose status is still queried."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the messages, each with ``has_ended``."""
        has_ended = ExpressionWrapper(ended(), output_field=BooleanField())
        return super().get_queryset(request).annotate(has_ended=has_ended)

    def has_delete_permission(self, request: HttpRequest, obj: SmsMessage | None = None) -> bool:
        """Return whether this person may delete, and the message has ended."""
        return super().has_delete_permission(request, obj) and (obj is None or _has_ended(obj))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Name the messages that have not ended as protected, so that nothing is deleted."""
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        if self.has_delete_permission(request):
            lacking.discard(self.opts.verbose_name)
            protected += [NOT_ENDED % {"message": row} for row in objs if not _has_ended(row)]
        return deleted, counts, lacking, protected

    @admin.action(
        permissions=["delete"],
        description=actions.delete_selected.short_description,  # type: ignore[attr-defined]
    )
    def delete_selected(
        self, request: HttpRequest, queryset: MessageQuerySet
    ) -> HttpResponse | None:
        """Run Django's own action and its entries of the history in one transaction."""
        delete = transaction.atomic(using=router.db_for_write(SmsMessage))(actions.delete_selected)
        return self._unless_changed(request, partial(delete, self, request, queryset))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show Django's own page, unless the message has not ended or changes meanwhile."""
        message = self.get_object(request, unquote(object_id))
        if message is not None and self.has_delete_permission(request) and not _has_ended(message):
            self.message_user(request, NOT_ENDED % {"message": message}, messages.ERROR)
            return self._to_list()
        attempt = partial(super().delete_view, request, object_id, extra_context)
        return self._unless_changed(request, attempt) or self._to_list()

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        """Redirect to the list; Django does so only for a person who may change messages."""
        response = super().response_delete(request, obj_display, obj_id)
        return response if IS_POPUP_VAR in request.POST else self._to_list()

    def _unless_changed(self, request: HttpRequest, attempt: Callable[[], R]) -> R | None:
        try:
            return write(attempt, SmsMessage)
        except ProtectedError:
            self.message_user(request, str(CHANGED), messages.ERROR)
            return None

    def _to_list(self) -> HttpResponse:
        return HttpResponseRedirect(self._address("smsmessage_changelist"))


def _has_ended(message: SmsMessage) -> bool:
    """Return the annotation, or ask the database about a message that has none."""
    has_ended: bool | None = getattr(message, "has_ended", None)
    if has_ended is None:
        return SmsMessage.objects.filter(pk=message.pk).ended().exists()
    return has_ended
