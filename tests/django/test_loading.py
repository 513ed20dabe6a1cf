"""From settings and folders to definitions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from yao_tasks.core.faults import Code
from yao_tasks.loading import from_environment, load

GOOD: dict[str, Any] = {
    "name": "Welcome mail",
    "process": "nowhere.at_all",
    "worker_nums": 10,
    "attempts": 3,
    "attempt_after": 200,
    "timeout": 2,
    "size": 1000,
}


def write(path: Path, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**GOOD, **changes}))
    return path


def test_the_files_of_the_project_and_of_its_apps_are_loaded(
    settings: Settings, tmp_path: Path, module: Callable[..., str]
) -> None:
    app = module()
    write(tmp_path / app / "tasks/report.task.json", name="Report")
    write(tmp_path / app / "tasks/welcome.yao", name="Replaced")
    write(tmp_path / "tasks/welcome.yao")
    settings.BASE_DIR = tmp_path
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, app]
    loaded = load()

    assert loaded.faults == ()
    assert {task: one.name for task, one in loaded.definitions.items()} == {
        "report": "Report",
        "welcome": "Welcome mail",
    }
    assert loaded.definitions["welcome"].path == tmp_path / "tasks/welcome.yao"
    with pytest.raises(TypeError):
        loaded.definitions["new"] = loaded.definitions["report"]  # type: ignore[index]


def test_faults_of_all_files_come_at_once_and_the_good_ones_are_loaded(
    settings: Settings, tmp_path: Path
) -> None:
    """B8."""
    write(tmp_path / "fine.yao")
    write(tmp_path / "small.yao", size=0)
    write(tmp_path / "twice.yao")
    write(tmp_path / "twice.json")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "latin.yao").write_bytes(b"\xe9")
    (tmp_path / "link.yao").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.yao").mkdir()
    settings.YAO_TASKS = {"DIRS": [tmp_path, tmp_path / "missing"]}
    loaded = load()

    assert list(loaded.definitions) == ["fine"]
    assert {(fault.task, str(fault.code)) for fault in loaded.faults} == {
        ("small", "E005"),
        ("twice", "E008"),
        ("broken", "E002"),
        ("latin", "E001"),
        ("link", "E001"),
        ("folder", "E001"),
        (None, "E010"),
    }


def test_a_value_comes_from_the_environment(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_WORKERS", "7")
    write(tmp_path / "welcome.yao", worker_nums="$ENV.MAIL_WORKERS", size="$ENV.NO_SUCH_VARIABLE")
    write(tmp_path / "other.yao", worker_nums="$ENV.MAIL_WORKERS")
    settings.YAO_TASKS = {"DIRS": [tmp_path]}
    loaded = load()
    [fault] = loaded.faults

    assert loaded.definitions["other"].worker_nums == 7
    assert fault.code == Code.ENVIRONMENT
    assert fault.text == (
        f'{tmp_path}/welcome.yao: "size" asks for the environment variable "NO_SUCH_VARIABLE", '
        "which is not set."
    )


@pytest.mark.parametrize(
    ("text", "cast", "expected"),
    [
        ("7", int, 7),
        ("2.5", float, 2.5),
        (" 3 ", float, 3.0),
        ("-1", float, -1.0),
        ("mail.send", str, "mail.send"),
        ("a.B,c.D", list, ["a.B", "c.D"]),
        ("add=a.b,error=c.d", dict, {"add": "a.b", "error": "c.d"}),
        ("on", bool, True),
        ("TRUE", bool, True),
        (" yes ", bool, True),
        ("0", bool, False),
        ("off", bool, False),
        ("", str, ""),
    ],
)
def test_the_environment_is_cast(
    monkeypatch: pytest.MonkeyPatch, text: str, cast: type, expected: object
) -> None:
    monkeypatch.setenv("VALUE", text)
    found = from_environment("VALUE", cast)

    assert (found, type(found)) == (expected, cast)


@pytest.mark.parametrize(
    ("text", "cast"),
    [
        ("many", int),
        ("2.5", int),
        ("", int),
        ("1e3", float),
        ("5 seconds", float),
        ("1,5", float),
        ("nan", float),
        ("inf", float),
        ("maybe", bool),
        ("", bool),
        ("no equals sign", dict),
    ],
)
def test_what_can_not_be_cast_is_no_guess(monkeypatch: pytest.MonkeyPatch, text: str, cast: type) -> None:
    monkeypatch.setenv("VALUE", text)

    with pytest.raises(ValueError):
        from_environment("VALUE", cast)


@pytest.mark.parametrize("text", ["$VALUE", "$NO_SUCH_VARIABLE"])
def test_a_value_that_stands_for_another_variable_must_lead_somewhere(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("VALUE", text)

    with pytest.raises(KeyError):
        from_environment("VALUE", str)
