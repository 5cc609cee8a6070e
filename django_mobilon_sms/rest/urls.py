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

# Each request opens its own transaction, also under ATOMIC_REQUESTS: a transaction that has read
# can not write on SQLite when another wrote meanwhile, and one that lost a deadlock is over.
for callback in [url.callback for url in urlpatterns if url.callback]:
    for alias in connections:
        transaction.non_atomic_requests(alias)(callback)

if find_spec("drf_spectacular"):  # it reads this before it describes any view
    import_module(".openapi", __package__)
