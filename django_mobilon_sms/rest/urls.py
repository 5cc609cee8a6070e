"""Include them where the project wants the API: ``include("django_mobilon_sms.rest.urls")``."""

from importlib import import_module
from importlib.util import find_spec

from django.db import connections, transaction
from rest_framework.routers import SimpleRouter

from .stop_list import StopListViewSet
from .views import MessageViewSet

app_name = "mobilon_sms"

router = SimpleRouter(use_regex_path=False)
router.register("messages", MessageViewSet, basename="message")
router.register("stop-list", StopListViewSet, basename="stopped-number")
urlpatterns = router.urls

# Opt out of ATOMIC_REQUESTS: on SQLite a transaction that has read cannot write after another has
# written, and one that lost a deadlock cannot be retried inside.
for callback in [url.callback for url in urlpatterns if url.callback]:
    for alias in connections:
        transaction.non_atomic_requests(alias)(callback)

if find_spec("drf_spectacular"):  # which must know the descriptions before it reads a view
    import_module(".openapi", __package__)
