"""A project's Celery app: the worker's, and in a test the one that publishes."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.celery_settings")
app = Celery("tests")
app.config_from_object("django.conf:settings", namespace="CELERY")
