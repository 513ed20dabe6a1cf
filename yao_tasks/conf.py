"""`settings.YAO_TASKS` as one frozen value, with all defaults in one place.

The fields below are the table of settings, declared as the keys of a definition are: one that gets built
loses its `built=`. A wrong value falls back to its default, so that nothing crashes; `faults` tells of it.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from yao_tasks.core.faults import Code, Fault, shown
from yao_tasks.core.keys import Place, key, keys_of, nearest, read_keys
from yao_tasks.core.kinds import choice, dotted, flag, listing, mapping, number, path, readable, whole


def _default_dirs() -> tuple[Path, ...]:
    base = base_dir()
    return () if base is None or not (base / "tasks").is_dir() else (base / "tasks",)


def _default_state_dir() -> Path:
    """Return a folder that all processes of this site share, and those of no other user or site."""
    site = base_dir() or os.environ.get("DJANGO_SETTINGS_MODULE", "")
    digest = hashlib.sha256(str(site).encode(errors="surrogateescape")).hexdigest()[:12]
    # Windows has no user ids, and a temporary folder for each user.
    uid = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir(), f"yao_tasks-{uid}-{digest}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings in `YAO_TASKS`, in lower case. Durations are float seconds, sizes bytes."""

    dirs: tuple[Path, ...] = field(default_factory=_default_dirs, metadata=key(listing(path())))
    engine: str = field(
        default="embedded",
        metadata=key(choice("embedded", "inline", "host", "celery"), built=["inline"]),
    )
    socket: Path | None = field(default=None, metadata=key(path(), built=[]))
    host_wait: float = field(default=5.0, metadata=key(number(0), built=[]))
    retention: float = field(default=600.0, metadata=key(number(0, 86_400)))
    retention_max: int = field(default=1_000, metadata=key(whole(1)))
    max_result: int = field(default=2**20, metadata=key(whole(1)))
    drain_timeout: float = field(default=10.0, metadata=key(number(0)))
    carry_context: tuple[str, ...] = field(
        default=(),
        metadata=key(listing(dotted("the dotted path of a ContextVar", example="language"))),
    )
    around: tuple[str, ...] = field(
        default=(), metadata=key(listing(dotted("the dotted path of a callable")))
    )
    async_threads: int = field(default=20, metadata=key(whole(1, 1_000)))
    child_jobs: int = field(default=500, metadata=key(whole(1)))
    # MiB
    child_memory: int | None = field(default=None, metadata=key(whole(1)))
    database: str = field(default="default", metadata=key(readable()))
    run_durable: bool | None = field(default=None, metadata=key(flag()))
    poll_interval: float = field(default=1.0, metadata=key(number(0, above=True)))
    record_days: float = field(default=30.0, metadata=key(number(0)))
    record_max: int = field(default=100_000, metadata=key(whole(1)))
    models: dict[str, str] = field(
        default_factory=dict, metadata=key(mapping(dotted("a model", example="accounts.User")))
    )
    redact: tuple[str, ...] = field(
        default=(
            "password",
            "passwd",
            "token",
            "secret",
            "key",
            "authorization",
            "cookie",
            "credential",
            "session",
        ),
        metadata=key(listing(readable())),
    )
    link_age: float = field(default=86_400.0, metadata=key(number(0, above=True)))
    # adds over HTTP, a minute and user
    user_rate: int = field(default=60, metadata=key(whole(1)))
    streams: bool | None = field(default=None, metadata=key(flag()))
    release: str | None = field(default=None, metadata=key(readable()))
    state_dir: Path = field(default_factory=_default_state_dir, metadata=key(path()))


KEYS = keys_of(Settings, rename=str.upper)


def current() -> Settings:
    """Return the settings as they are now: read once, and again after `reset`. Any thread may call it."""
    return _read()[0]


def faults() -> list[Fault]:
    """Return all that is wrong with `YAO_TASKS`; `current` holds the default in each such place."""
    return list(_read()[1])


def reset() -> None:
    """Forget what was read. `override_settings` and pytest-django's `settings` call it by themselves."""
    _read.cache_clear()


@cache
def _read() -> tuple[Settings, tuple[Fault, ...]]:
    place = Place(where="settings.YAO_TASKS")
    given = getattr(settings, "YAO_TASKS", {})
    if not isinstance(given, dict):
        fault = place.fault(Code.WRONG_VALUE, f"it is {shown(given)}.", "Give a dict.")
        return Settings(), (fault,)
    values, found = read_keys(KEYS, given, place)
    if not _is_database(values.get("database", "default")):
        found.append(_no_database(values.pop("database"), place))
    return Settings(**_absolute(values)), tuple(found)


def _absolute(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with paths that start at BASE_DIR, not wherever the process happens to stand."""
    base = base_dir() or Path()
    if "dirs" in values:
        values["dirs"] = tuple(base / one for one in values["dirs"])
    if "state_dir" in values:
        values["state_dir"] = base / values["state_dir"]
    return values


def base_dir() -> Path | None:
    """Return `settings.BASE_DIR`, if there is one."""
    base = getattr(settings, "BASE_DIR", None)
    return Path(base) if isinstance(base, str | os.PathLike) else None


def _is_database(alias: str) -> bool:
    return alias == "default" or alias in settings.DATABASES


def _no_database(alias: str, place: Place) -> Fault:
    text = f'"DATABASE" is {shown(alias)}, which settings.DATABASES doesn\'t have.'
    return place.fault(Code.WRONG_VALUE, text, nearest(alias, settings.DATABASES))


def _forget(*, setting: str, **_: object) -> None:
    if setting in ("YAO_TASKS", "BASE_DIR", "DATABASES"):
        reset()


setting_changed.connect(_forget, dispatch_uid="yao_tasks.conf")
