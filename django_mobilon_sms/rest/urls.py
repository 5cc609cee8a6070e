"""Include them where the project wants the API: ``include("django_mobilon_sms.rest.urls")``."""

from rest_framework.routers import SimpleRouter

from .views import MessageViewSet

app_name = "mobilon_sms"

router = SimpleRouter(use_regex_path=False)
router.register("messages", MessageViewSet, basename="message")
urlpatterns = router.urls
