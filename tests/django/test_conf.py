"""The settings in YAO_TASKS: defaults, what they may be, and what is said of those that are wrong."""

import os
import tempfile
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from yao_tasks import conf
from yao_tasks.core.faults import Code, Fault


def fault(settings: Settings, **given: object) -> Fault:
    settings.YAO_TASKS = given
    [one] = conf.faults()
    return one


def test_without_settings_all_have_their_defaults(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    del settings.YAO_TASKS
    conf.reset()
    values = conf.current()

    assert conf.faults() == []
    assert {name: getattr(values, key.attribute) for name, key in conf.KEYS.items()} == {
        "DIRS": (),
        "ENGINE": "embedded",
        "SOCKET": None,
        "HOST_WAIT": 5.0,
        "RETENTION": 600.0,
        "RETENTION_MAX": 1_000,
        "MAX_RESULT": 1_048_576,
        "DRAIN_TIMEOUT": 10.0,
        "CARRY_CONTEXT": (),
        "AROUND": (),
        "ASYNC_THREADS": 20,
        "CHILD_JOBS": 500,
        "CHILD_MEMORY": None,
        "DATABASE": "default",
        "RUN_DURABLE": None,
        "POLL_INTERVAL": 1.0,
        "RECORD_DAYS": 30.0,
        "RECORD_MAX": 100_000,
        "MODELS": {},
        "REDACT": (
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
        "LINK_AGE": 86_400.0,
        "USER_RATE": 60,
        "STREAMS": None,
        "RELEASE": None,
        "STATE_DIR": values.state_dir,
    }


def test_what_is_given_is_kept_in_its_own_type(settings: Settings, tmp_path: Path) -> None:
    settings.YAO_TASKS = {
        "DIRS": [str(tmp_path), tmp_path / "more"],
        "ENGINE": "inline",
        "RETENTION": 5,
        "RETENTION_MAX": 1,
        "DRAIN_TIMEOUT": 0,
        "STATE_DIR": str(tmp_path / "state"),
    }
    values = conf.current()

    assert conf.faults() == []
    assert values.dirs == (tmp_path, tmp_path / "more")
    assert values.engine == "inline"
    assert (values.retention, type(values.retention)) == (5.0, float)
    assert values.retention_max == 1
    assert values.drain_timeout == 0
    assert values.state_dir == tmp_path / "state"


def test_the_settings_are_read_once_and_again_when_they_change(settings: Settings) -> None:
    settings.YAO_TASKS = {"RETENTION": 1}
    first = conf.current()
    again = conf.current()
    settings.YAO_TASKS = {"RETENTION": 2}

    assert first is again
    assert conf.current().retention == 2
    with pytest.raises(FrozenInstanceError):
        first.retention = 3  # type: ignore[misc]


def test_the_projects_tasks_folder_is_the_default_where_it_exists(settings: Settings, tmp_path: Path) -> None:
    settings.YAO_TASKS = {}
    settings.BASE_DIR = str(tmp_path)
    before = conf.current().dirs
    (tmp_path / "tasks").mkdir()
    conf.reset()

    assert before == ()
    assert conf.current().dirs == (tmp_path / "tasks",)


def test_without_a_base_dir_there_is_no_default_folder(settings: Settings) -> None:
    settings.YAO_TASKS = {}
    del settings.BASE_DIR
    conf.reset()

    assert conf.current().dirs == ()


def test_a_relative_path_starts_at_the_base_dir(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    settings.YAO_TASKS = {"DIRS": ["jobs"], "STATE_DIR": "state"}

    assert conf.current().dirs == (tmp_path / "jobs",)
    assert conf.current().state_dir == tmp_path / "state"


def test_the_state_folder_belongs_to_one_user_and_one_site(settings: Settings, tmp_path: Path) -> None:
    settings.YAO_TASKS = {}
    settings.BASE_DIR = tmp_path
    mine = conf.current().state_dir
    settings.BASE_DIR = tmp_path / "other"
    other = conf.current().state_dir
    del settings.BASE_DIR
    conf.reset()
    nameless = conf.current().state_dir

    assert mine.parent == Path(tempfile.gettempdir())
    assert mine.name.startswith(f"yao_tasks-{os.getuid()}-")
    assert len({mine, other, nameless}) == 3


def test_an_unknown_setting_is_told_with_the_nearest_one(settings: Settings) -> None:
    one = fault(settings, RETENTOIN=5)

    assert one.code == Code.UNKNOWN_KEY
    assert one.text == 'settings.YAO_TASKS: "RETENTOIN" is no key.'
    assert one.hint == 'Did you mean "RETENTION"?'


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("RETENTION", -1, "Give a number between 0 and 86,400."),
        ("RETENTION", 86_401, "Give a number between 0 and 86,400."),
        ("RETENTION", "600", "Give a number between 0 and 86,400."),
        ("RETENTION", None, "Give a number between 0 and 86,400."),
        ("RETENTION_MAX", 0, "Give a whole number of 1 or more."),
        ("RETENTION_MAX", True, "Give a whole number of 1 or more."),
        ("DRAIN_TIMEOUT", -0.1, "Give a number of 0 or more."),
        ("DRAIN_TIMEOUT", float("nan"), "Give a number of 0 or more."),
        ("DRAIN_TIMEOUT", 10**400, "Give a number of 0 or more."),
        ("ENGINE", "redis", 'Give "embedded", "inline", "host" or "celery".'),
        ("DIRS", "tasks", "Give a list, each element a path, as text or Path."),
        ("DIRS", [5], "Give a list, each element a path, as text or Path."),
        ("DIRS", None, "Give a list, each element a path, as text or Path."),
        ("STATE_DIR", 5, "Give a path, as text or Path."),
        ("STATE_DIR", None, "Give a path, as text or Path."),
        ("DATABASE", 5, "Give a text that isn't empty and has no control characters."),
        ("DATABASE", "defualt", 'Did you mean "default"?'),
        ("MODELS", {"task": 5}, 'Give a dict, each value a model, such as "accounts.User".'),
    ],
)
def test_a_wrong_value_is_told_and_its_default_used(
    settings: Settings, name: str, value: object, hint: str
) -> None:
    settings.YAO_TASKS = {}
    default = conf.current()
    one = fault(settings, **{name: value})

    assert one.code == Code.WRONG_VALUE
    assert one.text.startswith(f'settings.YAO_TASKS: "{name}" is ')
    assert one.hint == hint
    assert conf.current() == default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENGINE", "host"),
        ("ENGINE", "celery"),
        ("SOCKET", "/run/site/tasks.sock"),
        ("HOST_WAIT", 6),
    ],
)
def test_a_setting_that_is_not_built_is_refused_unless_it_is_the_default(
    settings: Settings, name: str, value: object
) -> None:
    one = fault(settings, **{name: value})
    settings.YAO_TASKS = {}
    default: Any = getattr(conf.current(), conf.KEYS[name].attribute)
    settings.YAO_TASKS = {name: list(default) if isinstance(default, tuple) else default}

    assert one.code == Code.NOT_BUILT
    assert one.text.endswith("which this version of yao_tasks can't do yet.")
    assert conf.faults() == []


def test_settings_are_python_and_ask_no_environment(settings: Settings) -> None:
    one = fault(settings, DATABASE="$ENV.HOME")

    assert one.text == (
        'settings.YAO_TASKS: "DATABASE" is "$ENV.HOME", which settings.DATABASES doesn\'t have.'
    )


def test_settings_that_are_no_dict_are_told(settings: Settings) -> None:
    settings.YAO_TASKS = ["DIRS"]
    [one] = conf.faults()

    assert one.text == 'settings.YAO_TASKS: it is ["DIRS"].'
    assert one.hint == "Give a dict."
    assert conf.current().retention == 600


def test_all_faults_come_at_once(settings: Settings) -> None:
    settings.YAO_TASKS = {"RETENTION": -1, "RETENTION_MAX": 0, "NONSENSE": 1, "ENGINE": "host", 5: 6}

    assert sorted(one.code for one in conf.faults()) == [
        Code.UNKNOWN_KEY,
        Code.UNKNOWN_KEY,
        Code.WRONG_VALUE,
        Code.WRONG_VALUE,
        Code.NOT_BUILT,
    ]
