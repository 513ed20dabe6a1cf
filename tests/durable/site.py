"""Settings of the site whose processes the tests start, and kill: told by the environment."""

import json
import os
from pathlib import Path

from tests.settings import *  # noqa: F403

FOLDER = Path(os.environ["SITE"])
DATABASES["journal"] = json.loads(os.environ["SITE_DATABASE"])  # noqa: F405
YAO_TASKS = {
    "DIRS": [FOLDER / "tasks"],
    "STATE_DIR": FOLDER / os.environ.get("SITE_STATE", "state"),
    "DATABASE": "journal",
    "POLL_INTERVAL": 0.5,
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {"yao_tasks": {"handlers": ["stderr"], "level": "INFO"}},
}
