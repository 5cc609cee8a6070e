"""The tests' project with its rivals beside the app, on a database as Django sets it up."""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS, env

ROOT_URLCONF = "benchmarks.urls"
ALLOWED_HOSTS = ["testserver"]
REST_FRAMEWORK: dict[str, str] = {}
ENGINE = DATABASES["default"]["ENGINE"].rpartition(".")[2]
#: What the app is measured beside. Procrastinate runs on PostgreSQL only.
RIVALS = ["post_office", "mailer", "django_tasks_db"]
if ENGINE == "postgresql":
    RIVALS.append("procrastinate.contrib.django")
# Without drf-spectacular, which nothing here is measured with, and the extra ``bench`` lacks.
INSTALLED_APPS = [
    *(app for app in INSTALLED_APPS if app not in {"django_tasks_db", "drf_spectacular"}),
    *RIVALS,
]

if ENGINE != "mysql":
    DATABASES["default"]["OPTIONS"] = {}  # each commit waits for the disk, which the tests do not
if env.bool("BENCH_WAL", default=False):
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=wal; PRAGMA synchronous=full"
    }

MOBILON_SMS_EVENTS = env("MOBILON_SMS_EVENTS", default=None)
MOBILON_SMS_RATE = env("MOBILON_SMS_RATE", default=None)
MOBILON_SMS_TIMEOUT = env.float("MOBILON_SMS_TIMEOUT", default=20)
MOBILON_SMS_LEASE = env.float("MOBILON_SMS_LEASE", default=300)

CELERY_IMPORTS = ["django_mobilon_sms.contrib.celery"]
CELERY_BROKER_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0")
CELERY_TASK_DEFAULT_QUEUE = env("BENCH_QUEUE", default="bench")
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": CELERY_TASK_DEFAULT_QUEUE}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

POST_OFFICE = {"BACKENDS": {"default": "benchmarks.rivals.GatewayBackend"}}
MAILER_EMAIL_BACKEND = "benchmarks.rivals.GatewayBackend"
MAILER_USE_FILE_LOCK = False  # it would lie in the current folder
PROCRASTINATE_IMPORT_PATHS = ["benchmarks.tasks"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"none": {"class": "logging.NullHandler"}},
    "loggers": {
        name: {"handlers": ["none"], "propagate": False}
        for name in ("post_office", "mailer", "procrastinate")
    },
}
