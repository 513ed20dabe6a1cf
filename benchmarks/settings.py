"""Django settings of the benchmarks: SQLite, the app, and its defaults.

The environment says what differs between two processes: `BENCH_FOLDER` (for the database, and all else that goes
with the run), `BENCH_DIRS` (other definition files), `BENCH_APPS` (instead of yao_tasks alone), `BENCH_DATABASE`
(another default database, in JSON).
"""

import json
import os
from pathlib import Path

from benchmarks.peers import REDIS_URL

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
if "BENCH_DATABASE" in os.environ:
    DATABASES["default"] = json.loads(os.environ["BENCH_DATABASE"])
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    *os.environ.get("BENCH_APPS", "yao_tasks").split(),
]
# The peer's processes are never replaced, either: 500 jobs that do nothing take less time than a start.
YAO_TASKS = {"CHILD_JOBS": 10**9}
if "BENCH_DIRS" in os.environ:
    YAO_TASKS["DIRS"] = [Path(os.environ["BENCH_DIRS"])]

# Of peers. Successes are not stored.
Q_CLUSTER = {"redis": REDIS_URL, "save_limit": -1}
if "django_tasks_db" in INSTALLED_APPS:
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}
if "procrastinate.contrib.django" in INSTALLED_APPS:
    PROCRASTINATE_IMPORT_PATHS = ["benchmarks.peers.procrastinate_postgresql"]
