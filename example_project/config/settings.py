"""The example project's settings: each from the environment or `.env`, with a safe default.

`.env.example` says what each variable is for.
"""

from pathlib import Path
from urllib.parse import quote

import environ

BASE_DIR = Path(__file__).resolve().parents[1]

env = environ.Env()
env.escape_proxy = True  # a value that begins with $ can then be written: \$
if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DJANGO_DEBUG", default=True)
# Only a project under development may go without a key of its own.
SECRET_KEY = env(
    "DJANGO_SECRET_KEY", default="django-insecure-development" if DEBUG else env.NOTSET
)
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
LANGUAGE_CODE = env("DJANGO_LANGUAGE_CODE", default="ru")
TIME_ZONE = env("DJANGO_TIME_ZONE", default="Asia/Krasnoyarsk")
DATABASES = {
    "default": env.db("DATABASE_URL", default=f"sqlite:///{quote(str(BASE_DIR))}/var/db.sqlite3")
}

# The app's own settings, each the same word as its variable. The defaults lead to the sandbox.
MOBILON_SMS_BASE_URL = env("MOBILON_SMS_BASE_URL", default="http://127.0.0.1:8030/")
MOBILON_SMS_USERNAME = env("MOBILON_SMS_USERNAME", default="sandbox")
MOBILON_SMS_PASSWORD = env("MOBILON_SMS_PASSWORD", default="sandbox")
MOBILON_SMS_SOURCE = env("MOBILON_SMS_SOURCE", default="89234560000")
MOBILON_SMS_ENABLED = env.bool("MOBILON_SMS_ENABLED", default=True)
MOBILON_SMS_BACKEND = env(
    "MOBILON_SMS_BACKEND", default="django_mobilon_sms.gateway.MobilonGateway"
)
MOBILON_SMS_TIMEOUT = env.float("MOBILON_SMS_TIMEOUT", default=20.0)
MOBILON_SMS_BATCH_SIZE = env.int("MOBILON_SMS_BATCH_SIZE", default=100)
MOBILON_SMS_CONCURRENCY = env.int("MOBILON_SMS_CONCURRENCY", default=4)
MOBILON_SMS_LEASE = env.float("MOBILON_SMS_LEASE", default=300.0)
MOBILON_SMS_STATUS_MAX_AGE = env.float("MOBILON_SMS_STATUS_MAX_AGE", default=259_200.0)
MOBILON_SMS_MAX_SEGMENTS = env.int("MOBILON_SMS_MAX_SEGMENTS", default=10)
MOBILON_SMS_NUMBER_PATTERN = env("MOBILON_SMS_NUMBER_PATTERN", default=r"\+79\d{9}")
MOBILON_SMS_REFUSED_HTTP_CODES = env.list(
    "MOBILON_SMS_REFUSED_HTTP_CODES",
    cast=int,
    default=[401, 402, 403, 404, 405, 407, 411, 413, 415, 429],
)
MOBILON_SMS_SEND_REPLIES = env.dict(
    "MOBILON_SMS_SEND_REPLIES", cast={"key": int, "value": str}, default={0: "accepted"}
)
MOBILON_SMS_STATUS_REPLIES = env.dict(
    "MOBILON_SMS_STATUS_REPLIES", cast={"key": int, "value": str}, default={1: "sent"}
)
MOBILON_SMS_FORGET_TEXT_AFTER = env.float("MOBILON_SMS_FORGET_TEXT_AFTER", default=None)
MOBILON_SMS_RATE = env("MOBILON_SMS_RATE", default=None)
MOBILON_SMS_DAILY_LIMIT = env.int("MOBILON_SMS_DAILY_LIMIT", default=None)
MOBILON_SMS_QUIET_HOURS = env("MOBILON_SMS_QUIET_HOURS", default=None)
MOBILON_SMS_LIFETIME = env.float("MOBILON_SMS_LIFETIME", default=None)
MOBILON_SMS_DUPLICATE_WITHIN = env.float("MOBILON_SMS_DUPLICATE_WITHIN", default=None)
MOBILON_SMS_REST_OWN_MESSAGES_ONLY = env.bool("MOBILON_SMS_REST_OWN_MESSAGES_ONLY", default=False)
MOBILON_SMS_HOURLY_PER_NUMBER = env.int("MOBILON_SMS_HOURLY_PER_NUMBER", default=None)
MOBILON_SMS_WAKE_UP = env("MOBILON_SMS_WAKE_UP", default=None)
MOBILON_SMS_REST_DAILY_SEGMENTS = env.int("MOBILON_SMS_REST_DAILY_SEGMENTS", default=None)
MOBILON_SMS_WORKER_SILENCE = env.float("MOBILON_SMS_WORKER_SILENCE", default=300)
MOBILON_SMS_EVENTS = env("MOBILON_SMS_EVENTS", default=None)
MOBILON_SMS_WEBHOOKS = env.json("MOBILON_SMS_WEBHOOKS", default=None)

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_mobilon_sms",
    "shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
