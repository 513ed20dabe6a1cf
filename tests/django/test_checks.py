"""`manage.py check`: everything that is wrong, each with what to do; and the page that explains it."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, Error, run_checks
from django.core.checks import Warning as CheckWarning
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

import yao_tasks
from yao_tasks.core.faults import Code

pytestmark = pytest.mark.usefixtures("fresh_handlers")

DOCS = Path(__file__).parents[2] / "docs" / "checks.md"
PACKAGE = Path(yao_tasks.__file__).parent
JOBS = """
import functools

def plain(job_id, email): ...
async def coroutine(job_id): ...

async def generator(job_id):
    yield job_id
def nothing(): ...
def by_email(email): ...
partial = functools.partial(coroutine)
LIMIT = 5
"""


@pytest.fixture
def write(settings: Settings, tmp_path: Path, module: Callable[..., str]) -> Callable[..., Path]:
    """A function that writes a definition of the task `a`, whose callables are in the package `JOBS`."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    settings.YAO_TASKS = {"DIRS": [folder]}
    package = module(jobs=JOBS)

    def save(task: str = "a", *, process: str = "JOBS.plain", **changes: Any) -> Path:
        data = {"name": "A", "worker_nums": 1, "attempts": 0, "attempt_after": 0, "timeout": 1, "size": 1}
        text = json.dumps({**data, "process": process, **changes}).replace("JOBS.", f"{package}.jobs.")
        (folder / f"{task}.yao").write_text(text)
        return folder / f"{task}.yao"

    return save


def messages() -> list[CheckMessage]:
    return [message for message in run_checks() if str(message.id).startswith("yao_tasks.")]


def only() -> CheckMessage:
    [message] = messages()
    assert message.hint
    return message


def test_a_good_site_has_nothing_to_be_told(write: Callable[..., Path]) -> None:
    write(event={"next": "JOBS.nothing", "add": "JOBS.plain", "error": "JOBS.plain"})

    assert messages() == []


def test_a_handler_that_can_not_be_imported_is_an_error(write: Callable[..., Path]) -> None:
    path = write(process="nowhere_at_all.send")
    message = only()

    assert isinstance(message, Error)
    assert (message.id, message.obj) == ("yao_tasks.E011", "a")
    assert message.msg == (
        f'{path}: "process" can\'t be used. "nowhere_at_all.send": there is no module "nowhere_at_all".'
    )


def test_an_event_that_can_not_be_called_is_an_error(write: Callable[..., Path]) -> None:
    path = write(event={"success": "JOBS.LIMIT"})
    message = only()

    assert message.id == "yao_tasks.E012"
    assert message.msg.startswith(f'{path}: "event.success" can\'t be used. ')
    assert message.msg.endswith("is 5, which can't be called.")


NO_THREAD = 'Use def, or leave "worker_type" out: an async def then runs as a coroutine.'
NO_COROUTINE = (
    'Use async def, or leave "worker_type" out: a def then runs in a thread. Where a decorator hides an async def, '
    "mark what it returns with asgiref.sync.markcoroutinefunction."
)
NO_COROUTINES = "Use def: an async event needs coroutines, as a handler that is an async def has."


@pytest.mark.parametrize(
    ("changes", "key", "said", "hint"),
    [
        (
            {"process": "JOBS.coroutine", "worker_type": "thread"},
            "process",
            'is an async def, and "worker_type" is "thread".',
            NO_THREAD,
        ),
        (
            {"process": "JOBS.partial", "worker_type": "thread"},
            "process",
            'is an async def, and "worker_type" is "thread".',
            NO_THREAD,
        ),
        (
            {"worker_type": "async"},
            "process",
            'is no async def, and "worker_type" is "async".',
            NO_COROUTINE,
        ),
        (
            {"process": "JOBS.generator"},
            "process",
            "is an asynchronous generator, which nobody can await.",
            "Return the result instead of yielding it.",
        ),
        ({"event": {"add": "JOBS.coroutine"}}, "event.add", "is an async def.", NO_COROUTINES),
        (
            {"process": "JOBS.coroutine", "event": {"next": "JOBS.coroutine"}},
            "event.next",
            "is an async def.",
            "Use def: it makes an id in the thread of whoever adds a job.",
        ),
        (
            {"process": "JOBS.coroutine", "event": {"success": "JOBS.generator"}},
            "event.success",
            "is an asynchronous generator.",
            "Return instead of yielding.",
        ),
    ],
)
def test_an_async_def_where_nobody_awaits_it_is_an_error(
    write: Callable[..., Path], changes: dict[str, Any], key: str, said: str, hint: str
) -> None:
    path = write(**changes)
    message = only()

    assert message.id == "yao_tasks.E013"
    assert message.msg.startswith(f'{path}: "{key}" "')
    assert message.msg.endswith(said)
    assert message.hint == hint


@pytest.mark.parametrize("worker_type", ["auto", "async"])
def test_an_async_def_with_async_events_is_no_fault(write: Callable[..., Path], worker_type: str) -> None:
    events = dict.fromkeys(("add", "success", "error", "progress"), "JOBS.coroutine")
    write(process="JOBS.coroutine", worker_type=worker_type, event=events, worker_nums=100_000)

    assert messages() == []


def test_more_than_a_thousand_threads_are_an_error_though_the_file_does_not_say_that_they_are(
    write: Callable[..., Path],
) -> None:
    path = write(worker_nums=1_001)
    message = only()

    assert message.id == "yao_tasks.E005"
    assert message.msg == f'{path}: "worker_nums" is 1001.'
    assert message.hint == "Give a whole number between 1 and 1,000; only coroutines may be more."


def test_a_handler_without_a_place_for_the_job_id_is_an_error(write: Callable[..., Path]) -> None:
    write(process="JOBS.nothing")
    message = only()

    assert isinstance(message, Error)
    assert message.id == "yao_tasks.E014"
    assert message.msg.endswith(" takes no positional argument.")


def test_a_first_parameter_with_another_name_is_a_warning(write: Callable[..., Path]) -> None:
    write(process="JOBS.by_email")
    message = only()

    assert isinstance(message, CheckWarning)
    assert message.id == "yao_tasks.W002"
    assert message.msg.endswith(
        ' gets the job\'s id first, but its first parameter is named otherwise: "email".'
    )


def test_processes_that_fail_are_an_error(
    write: Callable[..., Path], module: Callable[..., str], settings: Settings
) -> None:
    app = module(processes="1 / 0")
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, app]
    write()
    message = only()

    assert message.id == "yao_tasks.E015"
    assert message.msg == (
        f"{app}.processes fails while it is imported (ZeroDivisionError: division by zero)."
    )


def test_a_setting_that_is_wrong_is_an_error(settings: Settings) -> None:
    settings.YAO_TASKS = {"RETENTION": -1}
    message = only()

    assert (message.id, message.obj) == ("yao_tasks.E005", "YAO_TASKS")
    assert message.msg == 'settings.YAO_TASKS: "RETENTION" is -1.'


def test_a_folder_without_definitions_is_a_warning(settings: Settings, tmp_path: Path) -> None:
    settings.YAO_TASKS = {"DIRS": [tmp_path]}

    assert isinstance(only(), CheckWarning)


def test_an_asgi_application_without_lifespan_is_a_warning(
    settings: Settings, module: Callable[..., str]
) -> None:
    package = module(site="application = object()")
    settings.ASGI_APPLICATION = f"{package}.site.application"
    message = only()

    assert isinstance(message, CheckWarning)
    assert (message.id, message.obj) == ("yao_tasks.W003", "YAO_TASKS")
    assert f'settings.ASGI_APPLICATION is "{package}.site.application", which isn' in message.msg


@pytest.mark.parametrize(
    "source",
    [
        "from yao_tasks.asgi import with_lifespan\napplication = with_lifespan(print)",
        "1 / 0",
        "raise SystemExit(1)",
    ],
    ids=["wrapped", "broken", "leaves"],
)
def test_an_asgi_application_that_is_wrapped_or_can_not_be_imported_is_none(
    settings: Settings, module: Callable[..., str], source: str
) -> None:
    settings.ASGI_APPLICATION = f"{module(site=source)}.site.application"

    assert messages() == []


@pytest.mark.parametrize(
    ("name", "changes", "code"),
    [
        ("size", {"size": 0}, "E005"),
        ("size", {"size": -1}, "E005"),
        ("size", {"size": "10"}, "E005"),
        ("size", {"size": 10**9}, "E005"),
        ("timeout", {"timeout": 0}, "E005"),
        ("szie", {"szie": 5}, "E004"),
        ("process", {"process": "nowhere_at_all.send"}, "E011"),
    ],
)
def test_a_bad_definition_is_named_with_file_and_key(
    write: Callable[..., Path], name: str, changes: dict[str, Any], code: str
) -> None:
    """B8."""
    path = write(**changes)
    message = only()

    assert message.id == f"yao_tasks.{code}"
    assert message.msg.startswith(f'{path}: "{name}" ')


def test_check_tells_everything_about_all_files_and_settings_at_once(
    write: Callable[..., Path], settings: Settings
) -> None:
    """B8."""
    folder = write("fine").parent
    write("small", size=0, timeout=0, szie=3)
    write("lost", process="nowhere_at_all.send", event={"add": "JOBS.LIMIT"})
    write("async", process="JOBS.coroutine", worker_type="thread")
    (folder / "broken.json").write_text('{\n "name" 5}')
    settings.YAO_TASKS = {"DIRS": [folder, folder / "missing"], "RETENTOIN": 5}
    with pytest.raises(SystemCheckError) as caught:
        call_command("check", stderr=io.StringIO())
    said = str(caught.value)

    assert sorted(re.findall(r"^(\S+): \(yao_tasks\.(\w+)\)", said, re.MULTILINE)) == [
        ("YAO_TASKS", "E004"),
        ("YAO_TASKS", "E010"),
        ("async", "E013"),
        ("broken", "E002"),
        ("lost", "E011"),
        ("lost", "E012"),
        ("small", "E004"),
        ("small", "E005"),
        ("small", "E005"),
    ]
    assert said.count("HINT:") == 9
    assert f"{folder}/broken.json: line 2, column 9: " in said


def test_each_code_has_a_section_in_the_documentation_and_the_other_way_round() -> None:
    documented = re.findall(r"^## yao_tasks\.([EW]\d{3}) ", DOCS.read_text(encoding="utf-8"), re.MULTILINE)

    assert documented == [code.value for code in Code]


def test_each_code_is_given_somewhere() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))

    assert [code.name for code in Code if f"Code.{code.name}" not in sources] == []


def test_each_section_of_the_documentation_has_an_example_and_a_remedy() -> None:
    sections = DOCS.read_text(encoding="utf-8").split("\n## ")[1:]

    assert [one.splitlines()[0] for one in sections if "```" not in one or "\n**Mend it:**" not in one] == []
