"""The example project's addresses."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("sms/", include("django_mobilon_sms.rest.urls")),
    path("api-auth/", include("rest_framework.urls")),
]
