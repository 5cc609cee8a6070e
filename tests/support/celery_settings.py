"""The tests' settings with a broker; what varies comes from the environment."""

from tests.settings import *  # noqa: F403
from tests.settings import env

CELERY_IMPORTS = ["django_mobilon_sms.contrib.celery"]
CELERY_BROKER_URL = env("CELERY_BROKER_URL")
CELERY_TASK_DEFAULT_QUEUE = env("CELERY_QUEUE")
CELERY_TASK_SOFT_TIME_LIMIT = env.float("CELERY_SOFT_TIME_LIMIT", default=None)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Redis delivers again what nobody acknowledged for so long, by default an hour, and looks for it
# every hundred seconds.
if CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "global_keyprefix": CELERY_TASK_DEFAULT_QUEUE,
        "visibility_timeout": 3,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }
