"""Include them where the project wants the API: ``include("django_mobilon_sms.rest.urls")``."""

from rest_framework.routers import SimpleRouter

from .stop_list import StopListViewSet
from .views import MessageViewSet

app_name = "mobilon_sms"

router = SimpleRouter(use_regex_path=False)
router.register("messages", MessageViewSet, basename="message")
router.register("stop-list", StopListViewSet, basename="stopped-number")
urlpatterns = router.urls
