"""The measured project: the app as its users install it, and django-post_office beside it.

The database is set up as Django sets it up: each commit waits for the disk.
"""

import environ

env = environ.Env()

SECRET_KEY = "only for benchmarks"
USE_TZ = True
ROOT_URLCONF = "benchmarks.urls"
STATIC_URL = "static/"
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "post_office",
    "django_mobilon_sms",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
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

DATABASES = {"default": env.db("DATABASE_URL")}
if DATABASES["default"]["ENGINE"].endswith("mysql"):
    DATABASES["default"]["OPTIONS"] = {
        "charset": "utf8mb4",
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES', time_zone='+00:00'",
    }
    DATABASES["default"]["TEST"] = {"CHARSET": "utf8mb4"}

MOBILON_SMS_BASE_URL = env("MOBILON_SMS_BASE_URL", default="http://127.0.0.1:9/")
MOBILON_SMS_USERNAME = "bench"
MOBILON_SMS_PASSWORD = "bench"
MOBILON_SMS_SOURCE = "89234560000"

POST_OFFICE = {"BACKENDS": {"default": "benchmarks.rivals.GatewayBackend"}}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"none": {"class": "logging.NullHandler"}},
    "loggers": {"post_office": {"handlers": ["none"], "propagate": False}},
}
