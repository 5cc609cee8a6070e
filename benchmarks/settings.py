"""The tests' project with django-post_office beside the app, on a database as Django sets it up."""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

ROOT_URLCONF = "benchmarks.urls"
ALLOWED_HOSTS = ["testserver"]
REST_FRAMEWORK: dict[str, str] = {}
# Without what nothing here is measured with, and the extra ``bench`` does not bring.
INSTALLED_APPS = [
    *(app for app in INSTALLED_APPS if app not in {"django_tasks_db", "drf_spectacular"}),
    "post_office",
]

if not DATABASES["default"]["ENGINE"].endswith("mysql"):
    DATABASES["default"]["OPTIONS"] = {}  # each commit waits for the disk, which the tests do not

POST_OFFICE = {"BACKENDS": {"default": "benchmarks.rivals.GatewayBackend"}}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"none": {"class": "logging.NullHandler"}},
    "loggers": {"post_office": {"handlers": ["none"], "propagate": False}},
}
