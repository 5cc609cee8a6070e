"""The addresses that are measured."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("sms/", include("django_mobilon_sms.rest.urls")),
]
