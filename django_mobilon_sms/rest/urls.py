"""Include them where the project wants the API: ``include("django_mobilon_sms.rest.urls")``."""

from importlib import import_module

from django.apps import apps
from django.db import connections, transaction
from django.urls import re_path
from rest_framework.routers import SimpleRouter

from .events import EventViewSet
from .messages.views import MessageViewSet
from .problem_view import UnknownAddress
from .stop_list import StopListViewSet

app_name = "mobilon_sms"


class SlashlessRouter(SimpleRouter):
    """The same addresses without their last slash; they stand in no schema.

    Django would redirect a POST to the address with a slash, and most clients repeat that as a
    GET: it is answered with 200, and nothing is written.
    """

    routes = [
        route._replace(initkwargs={**route.initkwargs, "schema": None})
        for route in SimpleRouter.routes
    ]


router = SimpleRouter(use_regex_path=False)
slashless = SlashlessRouter(trailing_slash=False, use_regex_path=False)
for each in (router, slashless):
    each.register("messages", MessageViewSet, basename="message")
    each.register("events", EventViewSet, basename="event")
    each.register("stop-list", StopListViewSet, basename="stopped-number")
# A name is reversed to the last address that has it: the one with the slash.
urlpatterns = [*slashless.urls, *router.urls, re_path("", UnknownAddress.as_view())]

# Opt out of ATOMIC_REQUESTS: on SQLite a transaction that has read cannot write after another has
# written, and one that lost a deadlock cannot be retried inside.
for callback in [url.callback for url in urlpatterns if url.callback]:
    for alias in connections:
        transaction.non_atomic_requests(alias)(callback)

if apps.is_installed("drf_spectacular"):  # which needs the descriptions first
    import_module(".openapi", __package__)
