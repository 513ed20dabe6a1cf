"""Settings of the demo project. What differs between machines comes from the environment, or from `.env`.

DEBUG          on unless it says otherwise
SECRET_KEY     needed as soon as DEBUG is off
ALLOWED_HOSTS  names, with commas
EMAIL_URL      such as smtp+tls://user:password@mail.example.org:587; without it mails become files
DEMO_DATA      the folder of database, outbox and state (default: the project's own)
DEMO_PAUSE     how long each step of a job takes at least, in seconds
"""

from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from demo_project.mail import mail_settings

BASE_DIR = Path(__file__).resolve().parent

env = environ.Env()
env.read_env(BASE_DIR.parent / ".env")

DATA_DIR = Path(env.str("DEMO_DATA", default=str(BASE_DIR))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", default=True)
DEVELOPMENT_KEY = "a key that everybody knows, for development only"
SECRET_KEY = env.str("SECRET_KEY", default=DEVELOPMENT_KEY)
if SECRET_KEY == DEVELOPMENT_KEY and not DEBUG:
    raise ImproperlyConfigured(
        "DEBUG is off, so SECRET_KEY must be set: give a long random text that stays secret."
    )
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "yao_tasks",
    "demo_project.accounts",
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
    "demo_project.csp.strict",
]

ROOT_URLCONF = "demo_project.urls"
WSGI_APPLICATION = "demo_project.wsgi.application"

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

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / "db.sqlite3",
        "OPTIONS": {
            # Workers and requests write at the same time. With these three they wait for each other;
            # without them SQLite answers "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "signup"
LOGOUT_REDIRECT_URL = "signup"

OUTBOX = DATA_DIR / "outbox"
globals().update(mail_settings(env.str("EMAIL_URL", default=""), OUTBOX))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="hello@example.org")

# Those that the app and the demo speak: what else a browser asks for would be half of each.
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"

# The definitions are in BASE_DIR / "tasks", where yao_tasks looks by itself.
# Mails and messages are in the language of whoever signed up.
YAO_TASKS = {"STATE_DIR": DATA_DIR / ".state", "CARRY_CONTEXT": ["language"]}

# A file is written in no time: so that there is something to see.
DEMO_PAUSE = env.float("DEMO_PAUSE", default=0.7)
