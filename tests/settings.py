"""Django settings of the tests: everything in a temporary folder that goes with the process."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from demo_project.mail import mail_settings

# Children of process workers have the folder of the process that they belong to: some are killed, and put nothing away.
if "YAO_TESTS_FOLDER" in os.environ:
    FOLDER = Path(os.environ["YAO_TESTS_FOLDER"])
else:
    FOLDER = Path(tempfile.mkdtemp(prefix="tests-"))
    os.environ["YAO_TESTS_FOLDER"] = str(FOLDER)
    atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

BASE_DIR = Path(__file__).parent
SECRET_KEY = "tests only"
USE_TZ = True
ROOT_URLCONF = "tests.urls"
# Files: in memory, two threads that use a database at once get "table is locked", whatever the timeout.
DATABASES = {
    alias: {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / f"{alias}.sqlite3",
        "TEST": {"NAME": FOLDER / f"test_{alias}.sqlite3"},
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
    }
    for alias in ("default", "other")
}
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
    "tests.csp.strict_csp",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
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
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
globals().update(mail_settings("", FOLDER / "outbox"))
DEMO_PAUSE = 0
DATA_DIR = Path(os.environ.get("DEMO_DATA", FOLDER))
YAO_TASKS = {"STATE_DIR": Path(tempfile.gettempdir()) / "yao_tasks-tests"}
