"""API: process workers. What is their own promise: a real end of the work, JSON, and a parent that is asked."""

import contextvars
import logging
import os
import re
import select
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone, translation

from tests import children
from tests.conformance.conftest import Notes
from tests.conftest import SECONDS, Site, until
from yao_tasks.child.priority import SLICE
from yao_tasks.core.children.child import Child
from yao_tasks.core.diary import diary
from yao_tasks.errors import JobLost, JobNotFound, RemoteError
from yao_tasks.pools import Pool, tasks

MakeChildTask = Callable[..., Pool]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lent")]


def result(pool: Pool, *args: Any) -> Any:
    info = pool.wait(pool.add(*args), SECONDS)
    assert info.status == "SUCCESS", info.error
    return info.response


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def end(pid: int) -> None:
    """Kill a process, and wait until it is dead with all its threads."""
    pidfd = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        assert select.select([pidfd], [], [], SECONDS)[0]
    finally:
        os.close(pidfd)


# What is sent


def test_arguments_and_results_are_json(child_task: MakeChildTask) -> None:
    pool = child_task("echo")
    sent = ["text ä", 1, 2.5, None, True, {"a": [1, (2, 3)]}]

    job_id = pool.add(*sent, name="Ada", self=1, job=2)

    expected = [job_id, [*sent[:-1], {"a": [1, [2, 3]]}], {"name": "Ada", "self": 1, "job": 2}]
    assert pool.wait(job_id, SECONDS).response == expected


def test_a_job_keeps_its_arguments_as_they_were_when_it_was_added(child_task: MakeChildTask) -> None:
    pool = child_task("echo")
    pool.pause()
    rows = [1, 2]

    job_id = pool.add(rows)
    rows.append(3)
    pool.resume()

    assert pool.get(job_id).args == ([1, 2],)
    assert pool.wait(job_id, SECONDS).response[1] == [[1, 2]]


class Row:
    _meta = object()
    pk = 7


def circle() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("nan"), TypeError),
        (float("inf"), TypeError),
        (b"bytes", TypeError),
        ({1}, TypeError),
        (datetime(2026, 1, 1), TypeError),
        (Row(), TypeError),
        ({1: 2}, TypeError),
        ("a\0b", ValueError),
        ("\ud800", ValueError),
        (10**5000, ValueError),
        (2**63, ValueError),
        ("x" * 64 * 1024, ValueError),
        (circle(), (TypeError, ValueError)),
    ],
    ids=[
        "nan",
        "inf",
        "bytes",
        "set",
        "date",
        "model",
        "key",
        "nul",
        "half",
        "digits",
        "64 bits",
        "64 KiB",
        "circle",
    ],
)
@pytest.mark.parametrize("how", ["add", "add_many"])
def test_what_can_not_be_sent_is_refused_at_add_and_the_argument_named(
    child_task: MakeChildTask, value: Any, error: type[Exception], how: str
) -> None:
    """B1."""
    pool = child_task("echo")

    with pytest.raises(error, match=r"(?i)argument") as refused:
        pool.add("fine", value) if how == "add" else pool.add_many([("fine",), ("fine", value)])

    if isinstance(value, Row):
        assert "primary key" in str(refused.value)
    assert pool.metrics()["added"] == 0
    assert len(pool.jobs) == 0


def test_a_result_may_hold_what_djangos_encoder_knows(child_task: MakeChildTask) -> None:
    moment, plain = result(child_task("returns"), "a date")

    assert datetime.fromisoformat(moment).utcoffset() is not None
    assert plain == {"a": [1, 2.5]}


def test_a_result_that_is_just_short_enough_comes_back(child_task: MakeChildTask) -> None:
    assert len(result(child_task("returns"), "1 MiB less")) == 2**20 - 2


def test_half_a_character_in_a_result_comes_back(child_task: MakeChildTask) -> None:
    assert result(child_task("returns"), "surrogate") == "a\ud800b\x00"


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a set", "can't be passed on as JSON"),
        ("an object", "can't be passed on as JSON"),
        ("a lock", "can't be passed on as JSON"),
        ("nan", "can't be passed on as JSON"),
        ("endless digits", "can't be passed on as JSON"),
        ("in a circle", "can't be passed on as JSON"),
        ("2 MiB", "MAX_RESULT allows 1,048,576"),
    ],
)
def test_a_result_that_can_not_be_sent_fails_its_job_with_a_reason(
    child_task: MakeChildTask, what: str, text: str
) -> None:
    """F25, for processes."""
    pool = child_task("returns", worker_nums=1)

    info = pool.wait(pool.add(what), SECONDS)

    assert info.status == "FAILURE"
    assert info.error is not None
    assert info.error.kind == "raised"
    assert text in info.error.message
    assert result(pool, "a date")


# What is raised


@pytest.mark.parametrize(
    ("what", "cls"),
    [
        ("two arguments", "tests.children.Refusal"),
        ("a lock", "ValueError"),
        ("unprintable", "tests.children.Unprintable"),
        ("SystemExit", "SystemExit"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        ("GeneratorExit", "GeneratorExit"),
        ("recursion", "RecursionError"),
        ("memory", "MemoryError"),
        ("surrogate", "ValueError"),
    ],
)
def test_whatever_is_raised_fails_its_job_only_and_is_told_as_text(
    child_task: MakeChildTask, notes: Notes, what: str, cls: str
) -> None:
    """F25."""
    pool = child_task("raises", worker_nums=1, event=notes.events("error"))

    info = pool.wait(pool.add(what), SECONDS)
    after = result(pool, "nothing at all")
    pool.close()

    assert info.status == "FAILURE"
    assert info.error is not None
    assert (info.error.kind, info.error.type) == ("raised", cls)
    assert info.error.message
    assert "in raises" in info.error.traceback or what == "surrogate"
    assert after is None
    [note] = notes.all
    error = note.values[0]
    assert type(error) is RemoteError
    assert (error.type, error.message, error.traceback) == (cls, info.error.message, info.error.traceback)


def test_the_traceback_names_the_handlers_own_lines_and_not_ours(child_task: MakeChildTask) -> None:
    pool = child_task("raises")

    error = pool.wait(pool.add("two arguments"), SECONDS).error

    assert error is not None
    assert "raise Refusal(1, 2)" in error.traceback
    assert "yao_tasks" not in error.traceback.replace("/yao_tasks/tests/", "").split("tests/children.py")[0]


@pytest.mark.parametrize(
    ("keys", "runs"),
    [
        ({}, 3),
        ({"retry_on": ["tests.children.Refused"]}, 3),
        ({"retry_on": ["ValueError"]}, 1),
        ({"give_up_on": ["tests.children.Refused"]}, 1),
        ({"retry_on": ["Exception"], "give_up_on": ["tests.children.Refusal"]}, 1),
    ],
    ids=str,
)
def test_retry_on_and_give_up_on_see_the_class(
    child_task: MakeChildTask, keys: dict[str, Any], runs: int
) -> None:
    pool = child_task("raises", attempts=2, attempt_after=0, **keys)

    assert pool.wait(pool.add("two arguments"), SECONDS).attempt == runs


def test_retry_and_give_up_mean_what_they_do_in_threads(child_task: MakeChildTask) -> None:
    pool = child_task("raises", attempts=2, attempt_after=60_000)

    given_up, again = pool.add("give up"), pool.add("retry")

    info = pool.wait(given_up, SECONDS)
    assert (info.attempt, info.response) == (1, "row 17: bad date")
    info = pool.wait(again, SECONDS)
    assert (info.attempt, info.response) == (2, "again")


# The end of the work


@pytest.mark.parametrize("handler", ["spins", "sleeps", "regex"])
def test_work_that_takes_too_long_is_killed(child_task: MakeChildTask, handler: str) -> None:
    """F20: a Python loop, a sleep, and C code that holds the GIL."""
    pool = child_task("pid", "warm", worker_nums=1), child_task(handler, worker_nums=1)
    pool = tasks["job"]
    began = time.monotonic()

    info = pool.wait(pool.using(timeout=0.3).add(), SECONDS)

    assert info.error is not None
    assert info.error.kind == "timeout"
    assert time.monotonic() - began < 5
    until(lambda: pool.metrics()["stuck"] == 0, "its worker to come back", seconds=0.5)


def test_a_cancel_kills_the_process_and_another_takes_its_place(
    child_task: MakeChildTask, tmp_path: Path
) -> None:
    pool = child_task("sleeps", worker_nums=1)
    path = tmp_path / "ledger"
    job_id = pool.add(60, str(path))
    until(lambda: path.exists() and path.read_text().endswith("\n"), "it to run")
    pid = int(path.read_text().split()[2])

    assert pool.cancel(job_id)

    until(lambda: not is_alive(pid), "the process to end", seconds=0.5)
    assert pool.get(job_id).status == "FAILURE"
    assert result(pool, 0) != pid


def test_a_retry_starts_only_when_the_process_of_the_run_before_is_dead(
    child_task: MakeChildTask, tmp_path: Path
) -> None:
    pool = child_task("sleeps", worker_nums=4, attempts=3, attempt_after=0, timeout=0.2)
    path = tmp_path / "ledger"

    info = pool.wait(pool.add(60, str(path)), SECONDS)

    runs = [line.split() for line in path.read_text().splitlines()]
    assert info.attempt == 4
    assert [run[1] for run in runs] == ["1", "2", "3", "4"]
    assert len({run[2] for run in runs}) == 4


def test_a_retry_waits_for_a_process_that_is_slow_to_die(
    child_task: MakeChildTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill, kills = Child.kill, []

    def kill_late(child: Child) -> None:
        child.is_killed = True
        kills.append(threading.Timer(0.3, kill, [child]))
        kills[-1].start()

    pool = child_task("asks_for_the_run_before", worker_nums=2, attempts=1, attempt_after=0, timeout=0.5)
    # Both workers have their processes.
    list(pool.as_completed([pool.add(), pool.add()], SECONDS))
    monkeypatch.setattr(Child, "kill", kill_late)

    info = pool.wait(pool.add(str(tmp_path / "ledger")), SECONDS)

    for timer in kills:
        timer.join()
    assert (info.attempt, info.response) == (2, [])


def test_a_timeout_is_tried_again_since_the_work_was_stopped(child_task: MakeChildTask) -> None:
    pool = child_task("sleeps", attempts=1, attempt_after=0, timeout=0.1)

    assert pool.wait(pool.add(), SECONDS).attempt == 2


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("exit 3", "exited with status 3"),
        ("SIGKILL", "was killed by signal 9 (SIGKILL; out of memory?)"),
        ("SIGSEGV", "was killed by signal 11 (SIGSEGV)"),
        ("closed files", "exited with status 74"),
        ("closed files, standard ones too", "exited with status 74"),
    ],
)
def test_the_death_of_a_process_costs_its_job_an_attempt(
    child_task: MakeChildTask, notes: Notes, how: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool = child_task("ends_its_process", worker_nums=1, event=notes.events("error"))

    info = pool.wait(pool.add(how), SECONDS)

    assert info.error is not None
    assert (info.error.kind, info.error.type) == ("lost", "yao_tasks.errors.JobLost")
    assert text in info.error.message
    assert result(pool, "not at all") is None
    until(lambda: notes.all, "the event")
    assert isinstance(notes.all[0].values[0], JobLost)
    assert [one.levelname for one in caplog.records if f"{info.id} failed" in one.message] == ["ERROR"]


def test_one_that_died_is_tried_again(child_task: MakeChildTask) -> None:
    pool = child_task("dies_the_first_time", attempts=1, attempt_after=0)

    assert result(pool) == 2


def test_output_that_looks_like_a_frame_does_no_harm(child_task: MakeChildTask) -> None:
    pool = child_task("prints_a_frame", worker_nums=1)

    assert [result(pool), result(pool)] == ["truth"] * 2


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_handler_may_fork(child_task: MakeChildTask, comes_back: bool) -> None:
    pool = child_task("forks", worker_nums=1)

    assert [result(pool, comes_back) for _ in range(3)] == ["parent"] * 3


def test_a_process_that_dies_is_noticed_though_a_fork_of_it_lives_on(child_task: MakeChildTask) -> None:
    pool = child_task("forks_and_dies", worker_nums=1)
    began = time.monotonic()

    info = pool.wait(pool.add(), SECONDS)

    assert info.error is not None
    assert info.error.kind == "lost"
    assert time.monotonic() - began < 4


# Children


def test_a_process_is_used_again(child_task: MakeChildTask) -> None:
    pool = child_task("pid", worker_nums=1)

    assert len({result(pool) for _ in range(20)}) == 1


def test_a_process_is_replaced_after_so_many_jobs(child_task: MakeChildTask, settings: Any) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "CHILD_JOBS": 3}
    pool = child_task("pid", worker_nums=1)

    pids = [result(pool) for _ in range(7)]

    assert [pids.count(pid) for pid in dict.fromkeys(pids)] in ([3, 3, 1], [7])


def test_a_process_that_has_grown_is_replaced(
    child_task: MakeChildTask, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "CHILD_MEMORY": 1}
    monkeypatch.setattr("tests.conformance.lending.Lender.lends", False)
    pool = child_task("pid", worker_nums=1)

    assert len({result(pool) for _ in range(3)}) == 3


def test_no_more_are_started_than_there_is_work_for(child_task: MakeChildTask) -> None:
    pool = child_task("pid", worker_nums=50)

    for _ in range(5):
        result(pool)

    assert pool.metrics()["workers"] == 1


def test_one_that_dies_while_it_is_idle_costs_no_job_anything(child_task: MakeChildTask) -> None:
    pool = child_task("pid", worker_nums=1)
    pid = result(pool)

    end(pid)

    info = pool.wait(pool.add(), SECONDS)
    assert (info.status, info.attempt) == ("SUCCESS", 1)
    assert info.response != pid


def test_a_child_has_what_its_parent_has_and_none_of_its_files(
    child_task: MakeChildTask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.conformance.lending.Lender.lends", False)
    monkeypatch.setenv("YAO_TESTS_MARK", "here")
    with open(tmp_path / "of the parent", "w") as file:
        os.set_inheritable(file.fileno(), True)
        seen = result(child_task("of_the_process"))

    import sys

    assert seen["sockets"] == 1
    assert seen["stdin"] == "/dev/null"
    assert seen["session"]
    assert seen["nice"] == [min(os.nice(0) + 10, 19), 10 if os.path.exists("/proc/self/autogroup") else None]
    kernel = tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2])
    assert seen["slice"] in (SLICE, 0) or kernel < (6, 12)
    assert seen["path"] == sys.path
    assert seen["settings"] == "tests.settings"
    assert seen["environment"] == "here"
    assert seen["threads"] == ["MainThread", "yao_tasks-guard"]
    assert not [name for name in seen["files"] if "of the parent" in name]


# From inside


@pytest.mark.parametrize("how", ["progress", "Progress", "pool"])
def test_progress_comes_back_live(child_task: MakeChildTask, notes: Notes, how: str) -> None:
    pool = child_task("reports", event=notes.events("progress"))

    job_id = pool.add(how)

    info = pool.wait(job_id, SECONDS)
    assert (info.current, info.total, info.message) == (3, 10, "rendering")
    assert [note.values for note in notes.all] == [(3, 10, "rendering")]
    assert notes.all[0].inside == ("job", job_id, 1)


def test_track_reports_as_it_goes(child_task: MakeChildTask) -> None:
    pool = child_task("reports")

    info = pool.wait(pool.add("track"), SECONDS)

    assert (info.response, info.current, info.total, info.message) == (6, 3, 3, "importing")


def test_a_report_of_nonsense_raises_in_the_handler(child_task: MakeChildTask) -> None:
    pool = child_task("reports")

    error = pool.wait(pool.add("nonsense"), SECONDS).error

    assert error is not None
    assert (error.type, error.message) == ("TypeError", "Progress: current is 'three'. Give a number.")


def test_current_job_knows_what_it_does_in_threads(child_task: MakeChildTask) -> None:
    pool = child_task("tells_itself")

    info = pool.wait(pool.using(timeout=7).add(), SECONDS)

    job_id, task, attempt, deadline, cancelled, stopping = info.response
    assert (job_id, task, attempt, cancelled, stopping) == (info.id, "job", 1, False, False)
    assert info.started_at is not None
    assert abs((datetime.fromisoformat(deadline) - info.started_at).total_seconds() - 7) < 0.01


def test_a_run_sees_that_its_pool_is_being_closed(child_task: MakeChildTask) -> None:
    pool = child_task("waits_for_stopping")
    job_id = pool.add()
    until(lambda: pool.get(job_id).current, "it to run")

    assert pool.close(SECONDS) == []

    assert pool.get(job_id).response == "stopped"


def test_log_lines_come_back_as_text_under_their_loggers_names(
    child_task: MakeChildTask, caplog: pytest.LogCaptureFixture
) -> None:
    pool = child_task("logs")
    job_id = pool.add()
    pool.wait(job_id, SECONDS)

    order, failed = [one for one in caplog.records if one.name.startswith("shop")]

    assert (order.name, order.levelname) == ("shop.orders", "WARNING")
    assert order.getMessage() == "order 7 of {'a': <class 'object'>}"
    assert (order.task, order.job, order.attempt) == ("job", job_id, 1)  # type: ignore[attr-defined]
    assert order.process != os.getpid()
    assert order.funcName == "logs"
    assert failed.getMessage() == "it failed"
    assert "ValueError: in the child" in logging.Formatter().format(failed)


def test_a_jobs_diary_has_its_log_lines_while_it_runs_as_they_were_written(child_task: MakeChildTask) -> None:
    pool = child_task("logs_and_waits")
    began = time.time()

    job_id = pool.add()

    order, failed = until(lambda: len(found := diary.lines("job", job_id)) == 2 and found, "its lines")
    assert pool.get(job_id).status == "RUNNING"
    assert (order.level, order.logger) == ("WARNING", "shop.orders")
    assert order.text == "order 7 of {'a': <class 'object'>}"
    assert failed.text.startswith("it failed\nTraceback (most recent call last):\n")
    assert failed.text.endswith("ValueError: in the child")
    assert began <= order.at <= failed.at <= time.time()
    pool.close()


def test_what_carry_context_names_is_there_in_the_child(child_task: MakeChildTask, settings: Any) -> None:
    settings.YAO_TASKS = {
        **settings.YAO_TASKS,
        "CARRY_CONTEXT": ["language", "timezone", "tests.children.tenant"],
    }
    pool = child_task("surroundings")

    def add() -> int:
        children.tenant.set({"name": "ada"})
        with translation.override("de"), timezone.override("Asia/Tokyo"):
            return pool.add()

    job_id = contextvars.Context().run(add)

    assert pool.wait(job_id, SECONDS).response == ["de", "Asia/Tokyo", {"name": "ada"}]
    # What other tests have left in this thread is carried, too.
    plain = contextvars.Context().run(pool.add)
    assert pool.wait(plain, SECONDS).response == ["en-us", "America/Chicago", "none"]


def test_a_nameless_time_zone_is_carried_as_its_offset(child_task: MakeChildTask, settings: Any) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "CARRY_CONTEXT": ["timezone"]}
    pool = child_task("surroundings")

    with timezone.override(timezone.get_fixed_timezone(90)):
        job_id = pool.add()

    assert pool.wait(job_id, SECONDS).response[1] == "UTC+01:30"


def test_a_carried_value_that_is_no_json_is_refused_at_add(child_task: MakeChildTask, settings: Any) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "CARRY_CONTEXT": ["tests.children.tenant"]}
    pool = child_task("surroundings")

    def add() -> None:
        children.tenant.set(object())
        pool.add()

    with pytest.raises(TypeError, match=r'CARRY_CONTEXT carries "tests\.children\.tenant"'):
        contextvars.Context().run(add)


def test_around_is_entered_in_the_child(child_task: MakeChildTask, settings: Any) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "AROUND": ["tests.children.around"]}
    pool = child_task("surroundings")

    info = pool.wait(pool.add(), SECONDS)

    assert info.response[0] == "de"
    assert (info.current, info.message) == (2, "after")


# Pools, from inside


@pytest.fixture
def asking(child_task: MakeChildTask, site: Site) -> Pool:
    """A task that asks for another, which has threads."""
    site.task("other", lambda job_id, *args, **kwargs: [job_id, list(args), kwargs], size=3, worker_nums=2)
    return child_task("asks")


def test_a_job_can_add_jobs_and_wait_for_them(asking: Pool) -> None:
    answer = result(asking, "add and wait")

    assert answer[1:] == [["ada"], {"name": "Ada"}]
    assert tasks["other"].get(answer[0]).response == answer


def test_a_job_can_add_many(asking: Pool) -> None:
    assert result(asking, "add_many") == [["a"], ["b"]]


def test_a_picture_comes_over_whole(asking: Pool) -> None:
    seen = result(asking, "get")

    info = tasks["other"].get(seen["id"]).as_dict()
    assert {**seen, "added_at": 0, "due_at": 0} == {**info, "args": ["x"], "added_at": 0, "due_at": 0}
    # Django's encoder keeps milliseconds.
    assert datetime.fromisoformat(seen["due_at"]).timestamp() == pytest.approx(
        info["due_at"].timestamp(), abs=0.001
    )


def test_a_job_can_cancel_and_report_for_others(asking: Pool) -> None:
    assert result(asking, "cancel") is True
    assert result(asking, "progress") == "from afar"


def test_process_works_inside(asking: Pool) -> None:
    assert tasks["other"].wait(result(asking, "Process"), SECONDS).status == "SUCCESS"


def test_threads_of_a_handler_may_ask_at_once(asking: Pool) -> None:
    assert result(asking, "from a thread") == [["x"]] * 4


def test_what_is_refused_there_is_refused_here_and_what_is_not_there_says_so(asking: Pool) -> None:
    missing, not_json, no_task, timeout, *others = result(asking, "errors")

    assert missing[0] == "JobNotFound"
    assert missing[2]
    assert not_json[0] == "TypeError"
    assert no_task[0] == "TaskNotFound"
    assert "Known are job, other" in no_task[1]
    assert timeout[0] == "TimeoutError"
    assert [one[0] for one in others] == ["RuntimeError"] * 4
    assert all("isn't available inside a process worker" in one[1] for one in others)


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_whatever_the_parent_meets_in_a_call_is_told_to_the_child_that_asked(
    asking: Pool, site: Site, error: type[BaseException]
) -> None:
    def fail() -> int:
        raise error("no more ids")

    site.task("other", lambda job_id, *args: None, event={"next": fail})

    told = result(tasks["job"], "full")

    assert {one[0] for one in told} == {"ValueError" if error is ValueError else "RemoteError"}
    assert all("no more ids" in one[1] for one in told)


def test_a_full_queue_is_told_inside(asking: Pool) -> None:
    tasks["other"].pause()

    added = result(asking, "full")

    assert [type(one) for one in added] == [int, int, int, list, list]
    assert added[3][0] == "QueueFull"
    tasks["other"].resume()


@pytest.fixture
def adding(child_task: MakeChildTask, site: Site, notes: Notes) -> Pool:
    """A task that adds jobs of another in a transaction of its own."""
    site.task("other", lambda job_id, *args: [job_id, list(args)], event=notes.events("add", "error"))
    return child_task("adds_in_a_transaction", worker_nums=1)


def test_what_a_child_adds_in_a_transaction_starts_after_its_commit(adding: Pool, notes: Notes) -> None:
    *ids, inside = result(adding, "commit")

    assert inside == "WAITING"
    assert [tasks["other"].wait(one, SECONDS).response[1] for one in ids] == [["x"], ["y"], ["z"]]
    assert [note.event for note in notes.all] == ["add"] * 3


@pytest.mark.parametrize("how", ["rollback", "left open"])
def test_what_a_child_rolls_back_never_was(adding: Pool, notes: Notes, how: str) -> None:
    added = result(adding, how)

    with pytest.raises(JobNotFound):
        tasks["other"].get(added)
    assert len(tasks["other"].jobs) == 0
    assert notes.all == []


def test_what_a_child_has_not_committed_dies_with_it(adding: Pool, notes: Notes) -> None:
    job_id = adding.add("die")

    info = adding.wait(job_id, SECONDS)

    assert info.error is not None
    assert info.error.kind == "lost"
    with pytest.raises(JobNotFound):
        tasks["other"].get(int(info.current))
    assert notes.all == []


def test_a_job_of_the_childs_own_open_transaction_can_not_be_waited_for(adding: Pool) -> None:
    name, text, _ = result(adding, "wait")

    assert name == "RuntimeError"
    assert "commit its transaction" in text


def test_a_child_may_add_before_its_commit(adding: Pool) -> None:
    assert result(adding, "at once") == ["x"]
