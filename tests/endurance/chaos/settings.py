"""Settings for the processes of a storm: short times, and traps in the workers."""

import os
import sys

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

if "CELERY_BROKER_URL" in os.environ:
    from tests.support.celery_settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.endurance.chaos"]

MOBILON_SMS_EVENTS = os.environ.get("MOBILON_SMS_EVENTS")
MOBILON_SMS_RATE = os.environ.get("MOBILON_SMS_RATE")

MOBILON_SMS_TIMEOUT = 2
MOBILON_SMS_LEASE = 6

if not DATABASES["default"]["ENGINE"].endswith("mysql"):
    DATABASES["default"]["OPTIONS"] = {}  # Django's defaults
if os.environ.get("CHAOS_WAL"):
    DATABASES["default"]["OPTIONS"] = {"init_command": "PRAGMA journal_mode=wal"}
if os.environ.get("CHAOS_ROLE") == "gateway" and "sqlite" in DATABASES["default"]["ENGINE"]:
    # Short, because a sender must not wait while the gateway looks into a locked database.
    DATABASES["default"]["OPTIONS"]["timeout"] = 0.2

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(process)d %(asctime)s %(name)s %(message)s"}},
    "handlers": {"all": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"django_mobilon_sms": {"handlers": ["all"], "stream": sys.stderr}},
}
