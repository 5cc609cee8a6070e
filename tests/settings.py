"""The test project: SQLite, or what DATABASE_URL names."""

import os
import tempfile
from pathlib import Path

import environ

env = environ.Env()
_folder = Path(tempfile.gettempdir())

SECRET_KEY = "only for tests"
USE_TZ = True
TIME_ZONE = "Asia/Krasnoyarsk"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "django_tasks_db",
    "django_mobilon_sms",
]
MIDDLEWARE = [
    "tests.support.policy.strict",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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

TASKS = {
    "default": {"BACKEND": "django_tasks_db.DatabaseBackend"},
}

# No test takes the machine's power away, so none waits for the disk either.
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{_folder}/mobilon_sms.sqlite3")}
if DATABASES["default"]["ENGINE"].endswith("mysql"):
    DATABASES["default"]["OPTIONS"] = {
        "charset": "utf8mb4",
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES', time_zone='+00:00'",
    }
    DATABASES["default"]["TEST"] = {"CHARSET": "utf8mb4"}
elif DATABASES["default"]["ENGINE"].endswith("postgresql"):
    DATABASES["default"]["OPTIONS"] = {"options": "-c synchronous_commit=off"}
elif DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file and not memory: several processes and threads work on it. The process id keeps two
    # runs of the suite apart; DATABASE_URL gives the name to a process that a test starts.
    _name = f"test_mobilon_sms_{os.getpid()}.sqlite3"
    DATABASES["default"]["TEST"] = {"NAME": str(_folder / _name)}
    DATABASES["default"]["OPTIONS"] = {"init_command": "PRAGMA synchronous=off"}

REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {
    "TITLE": "SMS",
    "DESCRIPTION": "Write, find and act on messages that a worker sends through the gateway.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVERS": [{"url": "https://shop.example"}],
    "CONTACT": {"name": "The shop's developers", "email": "api@shop.example"},
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "TAGS": [
        {"name": "SMS", "description": "Write, find and act on messages."},
        {"name": "SMS events", "description": "Learn what became of messages."},
        {"name": "SMS stop list", "description": "Numbers that nothing is sent to."},
    ],
}

MOBILON_SMS_BASE_URL = env("MOBILON_SMS_BASE_URL", default="http://127.0.0.1:9/")
MOBILON_SMS_USERNAME = env("MOBILON_SMS_USERNAME", default="sandbox")
MOBILON_SMS_PASSWORD = env("MOBILON_SMS_PASSWORD", default="sandbox")
MOBILON_SMS_SOURCE = env("MOBILON_SMS_SOURCE", default="89234560000")
MOBILON_SMS_BATCH_SIZE = env.int("MOBILON_SMS_BATCH_SIZE", default=100)
MOBILON_SMS_WAKE_UP = env("MOBILON_SMS_WAKE_UP", default=None)
MOBILON_SMS_EVENTS = env("MOBILON_SMS_EVENTS", default=None)
MOBILON_SMS_WEBHOOKS = env.json("MOBILON_SMS_WEBHOOKS", default=None)
