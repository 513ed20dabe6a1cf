"""Django settings of the benchmarks: SQLite, the app, and its defaults.

The environment says what differs between two processes: `BENCH_FOLDER` (for the database, and all else that goes
with the run), `BENCH_DIRS` (other definition files), `BENCH_APPS` (instead of yao_tasks).
"""

import os
from pathlib import Path

BASE_DIR = Path(__file__).parent
FOLDER = Path(os.environ["BENCH_FOLDER"])
SECRET_KEY = "benchmarks only"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "db.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    *os.environ.get("BENCH_APPS", "yao_tasks").split(),
]
YAO_TASKS = {}
if "BENCH_DIRS" in os.environ:
    YAO_TASKS["DIRS"] = [Path(os.environ["BENCH_DIRS"])]
