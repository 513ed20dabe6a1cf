"""From the settings and the folders of files to definitions: `load`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import environ
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from yao_tasks import conf
from yao_tasks.core import definitions, files
from yao_tasks.core.definitions import Definition
from yao_tasks.core.errors import TaskNotFound
from yao_tasks.core.faults import Fault, shown
from yao_tasks.core.keys import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """All good definitions by task id, in the order of the ids, and all that is wrong with the others."""

    definitions: Mapping[str, Definition]
    faults: tuple[Fault, ...]

    @property
    def task_ids(self) -> tuple[str, ...]:
        """All tasks there are files for, the faulty ones among them."""
        return tuple(
            sorted({*self.definitions, *(fault.task for fault in self.faults if fault.task is not None)})
        )


def load() -> Loaded:
    """Read all definition files anew. Imports no handler, asks no database, and never raises.

    The faults of the settings are not among those returned (`conf.faults` has them). Call it when the app
    registry is ready, as it is in every `AppConfig.ready`.
    """
    paths, faults = files.find(conf.current().dirs, _app_dirs())
    good: dict[str, Definition] = {}
    for task_id, path in paths.items():
        definition, found = _read(task_id, path)
        faults += found
        if definition is not None:
            good[task_id] = definition
    return Loaded(definitions=MappingProxyType(good), faults=tuple(faults))


_loaded: Loaded | None = None


def loaded() -> Loaded:
    """Return what the files say, read once; raises nothing for their faults."""
    global _loaded
    if _loaded is None:
        _loaded = load()
    return _loaded


def forget() -> None:
    """Read the files anew when they are asked for next."""
    global _loaded
    _loaded = None


def watched() -> list[tuple[Path, str]]:
    """Folders with definition files, and the patterns of their names: for the development server's reloader."""
    project = [(folder, ending) for folder in conf.current().dirs for ending in files.PROJECT_ENDINGS]
    in_apps = [(folder, ending) for folder in _app_dirs() if folder.is_dir() for ending in files.APP_ENDINGS]
    return [(folder, f"**/*{ending}") for folder, ending in [*project, *in_apps]]


def _app_dirs() -> list[Path]:
    return [Path(app.path) / "tasks" for app in apps.get_app_configs()]


def _read(task_id: str, path: Path) -> tuple[Definition | None, list[Fault]]:
    text = files.read_text(path, task=task_id)
    if isinstance(text, Fault):
        return None, [text]
    return definitions.read(text, path, task_id, from_environment)


def from_environment(name: str, cast: type) -> object:
    """Return the environment variable `name` cast to `cast`, as django-environ does it.

    Raises KeyError where there is none, ValueError where the text isn't what `cast` stands for.
    """
    env = environ.Env()
    if name not in env:
        raise KeyError(name)
    try:
        text = env.str(name).strip()
        _refuse_guesses(text, cast, env)
        return env(name, cast=cast)
    except (ImproperlyConfigured, RecursionError) as error:
        # The value may be "$OTHER", which stands for another variable: one that is missing, or for itself.
        raise KeyError(name) from error


def _refuse_guesses(text: str, cast: type, env: environ.Env) -> None:
    """Raise ValueError where django-environ would guess: it makes 13.0 of "1e3", and False of "maybe"."""
    if cast is float:
        float(text)
        plain = not any(letter.isalpha() or letter == "_" for letter in text)
    elif cast is bool:
        plain = text.lower() in (*env.BOOLEAN_TRUE_STRINGS, "0", "false", "off", "no", "n", "f")
    else:
        plain = True
    if not plain:
        raise ValueError(text)


def durable_tasks() -> list[str]:
    """Return the ids of the tasks whose jobs are durable."""
    return [one.id for one in loaded().definitions.values() if one.durable]


def known_tasks() -> list[str]:
    """Return the ids of all tasks, former ones too."""
    read = loaded()
    return [*read.task_ids, *(former for one in read.definitions.values() for former in one.formerly)]


def definition_of(task: str) -> Definition:
    """The definition of a task. TaskNotFound; ImproperlyConfigured with all that is wrong with its file."""
    read = loaded()
    definition = read.definitions.get(task)
    if definition is not None:
        return definition
    faults = [f"{fault.text} {fault.hint}" for fault in read.faults if fault.task == task]
    if faults:
        raise ImproperlyConfigured(" ".join(faults))
    raise TaskNotFound(f"No task is named {shown(task)}. {nearest(task, read.task_ids)}")
