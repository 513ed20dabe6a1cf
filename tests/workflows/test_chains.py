"""Chains in memory: steps that follow one another."""

import logging
import threading
from typing import Any

import pytest
from django.db import transaction

from tests.conftest import SECONDS, Site, until
from yao_tasks import Retry, boot
from yao_tasks.core.errors import JobNotFound, QueueFull, TaskNotFound, WorkflowNotFound
from yao_tasks.pools import Pool, tasks
from yao_tasks.testing import captured_tasks, drained_tasks, inline_tasks
from yao_tasks.workflows import PREVIOUS, chain, find
from yao_tasks.workflows.memory import Flows


@pytest.fixture
def ran() -> list[Any]:
    return []


@pytest.fixture
def three(site: Site, ran: list[Any]) -> tuple[Pool, Pool, Pool]:
    """Three tasks, each of which notes its call and answers what it was given, with its name."""

    def handler(name: str) -> Any:
        def work(job_id: int, *args: Any) -> str:
            ran.append((name, *args))
            if "boom" in args:
                raise ValueError("no such user")
            return "".join(map(str, args)) + name

        return work

    for name in ("a", "b", "c"):
        site.task(name, handler(name))
    return tasks["a"], tasks["b"], tasks["c"]


def test_each_step_starts_when_the_one_before_has_succeeded(
    three: tuple[Pool, Pool, Pool], ran: list[Any]
) -> None:
    a, b, c = three

    done = chain(a.call("x"), b.call("y"), c.call("z")).wait(SECONDS)

    assert (done.status, done.response, done.percent) == ("SUCCESS", "zc", 100)
    assert ran == [("a", "x"), ("b", "y"), ("c", "z")]
    assert done.counts == {"WAITING": 0, "RUNNING": 0, "SUCCESS": 3, "FAILURE": 0}
    assert [(step.task, step.status, step.percent) for step in done.steps] == [
        (name, "SUCCESS", 100) for name in "abc"
    ]
    assert [tasks[step.task].get(step.job_id or 0).status for step in done.steps] == ["SUCCESS"] * 3
    assert done.ended_at is not None
    assert done.ended_at >= done.added_at


def test_a_step_gets_the_result_of_the_one_before_where_it_wants_it(
    three: tuple[Pool, Pool, Pool], ran: list[Any]
) -> None:
    a, b, c = three

    done = chain(a.call("x"), b.call(PREVIOUS, 1), c.call(PREVIOUS)).wait(SECONDS)

    assert done.response == "xa1bc"
    assert ran == [("a", "x"), ("b", "xa", 1), ("c", "xa1b")]


def test_the_first_failure_ends_it_with_its_reason(three: tuple[Pool, Pool, Pool], ran: list[Any]) -> None:
    a, b, c = three

    done = chain(a.call(), b.call("boom"), c.call()).wait(SECONDS)

    assert (done.status, done.response) == ("FAILURE", "no such user")
    assert done.error is not None
    assert (done.error.kind, done.error.type) == ("raised", "ValueError")
    assert [step.status for step in done.steps] == ["SUCCESS", "FAILURE", None]
    assert done.steps[2].job_id is None
    assert done.percent == 33
    assert [name for name, *_ in ran] == ["a", "b"]


def test_a_retry_is_no_failure(site: Site) -> None:
    tries: list[int] = []

    def fails_once(job_id: int) -> str:
        tries.append(job_id)
        if len(tries) == 1:
            raise Retry(after=0)
        return "at last"

    site.task("first", fails_once, attempts=1)
    site.task("second", lambda job_id, what: what)

    done = chain(tasks["first"].call(), tasks["second"].call(PREVIOUS)).wait(SECONDS)

    assert done.response == "at last"


def test_how_far_it_is(site: Site) -> None:
    gate = site.gate()
    site.task("quick", lambda job_id: None)
    site.task("slow", gate)
    flow = chain(tasks["quick"].call(), tasks["slow"].call(), tasks["quick"].call())
    gate.entered()
    job_id = flow.info().steps[1].job_id
    assert job_id is not None

    tasks["slow"].progress(job_id, 1, 2)

    info = flow.info()
    assert (info.status, info.current, info.total, info.percent) == ("RUNNING", 1.5, 3, 50)
    assert flow.progress == flow.percent == 50
    assert info.counts == {"WAITING": 1, "RUNNING": 1, "SUCCESS": 1, "FAILURE": 0}
    assert [step.status for step in info.steps] == ["SUCCESS", "RUNNING", None]
    gate.open()
    assert flow.wait(SECONDS).status == "SUCCESS"


def test_it_is_found_by_its_id(three: tuple[Pool, Pool, Pool]) -> None:
    flow = chain(three[0].call())

    assert find(flow.id) == flow
    assert find(flow.id).wait(SECONDS).id == flow.id
    with pytest.raises(WorkflowNotFound, match="No workflow 7 is known here"):
        find(7)


def test_one_that_nobody_holds_is_forgotten_in_time(three: tuple[Pool, Pool, Pool], settings: Any) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "RETENTION_MAX": 2}
    first = chain(three[0].call())
    ids = [first.id, *(chain(three[0].call()).id for _ in range(3))]
    for workflow_id in ids[1:]:
        try:
            find(workflow_id).wait(SECONDS)
        except WorkflowNotFound:
            pass

    with pytest.raises(WorkflowNotFound):
        find(ids[0])
    assert find(ids[3]).status == "SUCCESS"
    assert first.status == "SUCCESS"


def test_what_goes_wrong_in_one_stops_no_other(
    three: tuple[Pool, Pool, Pool], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, _ = three
    ended = Flows.ended

    def fails_once(self: Flows, member: Any) -> None:
        monkeypatch.setattr(Flows, "ended", ended)
        raise ZeroDivisionError

    monkeypatch.setattr(Flows, "ended", fails_once)
    chain(a.call())
    until(lambda: "could not be done" in caplog.text, "the line")

    assert chain(a.call(), b.call()).wait(SECONDS).status == "SUCCESS"


def test_a_cancel_ends_it_and_what_runs(site: Site, ran: list[Any]) -> None:
    gate = site.gate()
    site.task("slow", gate)
    site.task("next", ran.append)
    flow = chain(tasks["slow"].call(), tasks["next"].call())
    gate.entered()

    assert flow.cancel() is True
    assert flow.cancel() is False

    info = flow.wait(SECONDS)
    assert info.error is not None
    assert (info.status, info.error.kind) == ("FAILURE", "cancelled")
    job_id = info.steps[0].job_id
    assert job_id is not None
    error = tasks["slow"].wait(job_id, SECONDS).error
    assert error is not None
    assert error.kind == "cancelled"
    gate.open()
    assert ran == []


def test_it_starts_with_the_commit_and_never_was_after_a_rollback(
    three: tuple[Pool, Pool, Pool], ran: list[Any], transactional_db: None
) -> None:
    a, b, _ = three
    with transaction.atomic():
        kept = chain(a.call(1), b.call(2))
        assert kept.status == "WAITING"
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        dropped = chain(a.call(3), b.call(4))
        raise ZeroDivisionError

    assert kept.wait(SECONDS).status == "SUCCESS"
    assert ran == [("a", 1), ("b", 2)]
    # Who looks finds out: nobody tells of a rollback.
    with pytest.raises(JobNotFound):
        a.get(dropped.info().steps[0].job_id or 0)
    until(lambda: dropped.id not in boot.house().flows.open, "it to be forgotten")  # type: ignore[union-attr]


def test_a_step_whose_queue_is_full_waits_for_a_place(site: Site, ran: list[Any]) -> None:
    gate = site.gate()
    site.task("first", lambda job_id: None)
    site.task(
        "narrow", lambda job_id, *what: gate(job_id) if not what else ran.append(what), size=1, worker_nums=1
    )
    flow = chain(tasks["first"].call(), tasks["narrow"].call("mine"))
    tasks["narrow"].add()
    gate.entered()
    with pytest.raises(QueueFull):
        for _ in range(3):
            tasks["narrow"].add("other")

    gate.open()

    assert flow.wait(SECONDS).status == "SUCCESS"
    assert ("mine",) in ran


def test_a_step_that_can_not_be_added_ends_it_with_a_line(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.task("first", lambda job_id: {1, 2})
    site.task("apart", print, process="tests.children.echo", worker_type="process")

    done = chain(tasks["first"].call(), tasks["apart"].call(PREVIOUS)).wait(SECONDS)

    assert done.status == "FAILURE"
    assert 'Step 2, of "apart", could not be added: Argument 1 is a set' in done.response
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert f"The chain {done.id} stops here." in line.getMessage()


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_chains_at_once(site: Site, count: int) -> None:
    order: dict[int, list[str]] = {}

    def note(name: str) -> Any:
        return lambda job_id, number: order.setdefault(number, []).append(name)

    for name in "abc":
        site.task(name, note(name), worker_nums=4, size=10_000)

    # More than are remembered: who holds one finds it.
    flows = [chain(*(tasks[name].call(number) for name in "abc")) for number in range(count)]

    assert {flow.wait(60).status for flow in flows} == {"SUCCESS"}
    assert len(order) == count
    assert {"".join(names) for names in order.values()} == {"abc"}


def test_inline_it_has_ended_when_it_is_back(three: tuple[Pool, Pool, Pool], ran: list[Any]) -> None:
    a, b, c = three
    with inline_tasks():
        flow = chain(a.call("x"), b.call(PREVIOUS), c.call(PREVIOUS))
        assert flow.info().response == "xabc"
        with pytest.raises(ValueError, match="no such user"):
            chain(a.call(), b.call("boom"), c.call("never"))
        with pytest.raises(ValueError, match="no such user"):
            chain(a.call("boom"), b.call("never"))
    assert ("c", "never") not in ran
    assert ("b", "never") not in ran
    assert not [thread for thread in threading.enumerate() if "workflows" in thread.name]


def test_captured_each_step_is_there_once_the_one_before_has_run(three: tuple[Pool, Pool, Pool]) -> None:
    a, b, _ = three
    with captured_tasks() as jobs:
        flow = chain(a.call("x"), b.call(PREVIOUS))
        jobs.assert_added("a", "x")
        assert len(jobs) == 1

        jobs.run_pending()

        jobs.assert_added("b", "xa")
        assert flow.status == "RUNNING"

        jobs.run_pending()

        assert flow.status == "SUCCESS"


def test_drained_they_have_ended_when_the_test_has(
    three: tuple[Pool, Pool, Pool], ran: list[Any], transactional_db: None
) -> None:
    a, b, c = three
    with drained_tasks():
        for _ in range(20):
            chain(a.call("x"), b.call("y"), c.call("z"))

    assert len(ran) == 60


@pytest.mark.parametrize(
    ("steps", "error", "text"),
    [
        (lambda a, _: [], ValueError, "chain: give at least one step"),
        (lambda a, _: [a.call(), "b"], TypeError, 'chain: step 2 is "b". Give tasks'),
        (lambda a, _: [a], TypeError, "step 1 is a pool. Say what to call it with: tasks\\[.a.\\].call"),
        (lambda a, _: [a.call(PREVIOUS)], ValueError, "step 1 asks for PREVIOUS"),
        (lambda a, _: [a.call(), a.using(on_commit=False).call()], ValueError, "step 2 has on_commit=False"),
        (lambda a, b: [a.call(), b.call({1})], TypeError, 'chain: step 2, of "b": Argument 1 is a set'),
    ],
    ids=["nothing", "no call", "a pool", "previous", "on_commit", "no JSON"],
)
def test_what_is_no_chain_is_refused_before_anything_has_started(
    site: Site, steps: Any, error: type[Exception], text: str, ran: list[Any]
) -> None:
    site.task("a", lambda job_id, *args: ran.append(args))
    site.task("b", print, process="tests.children.echo", worker_type="process")

    with pytest.raises(error, match=text):
        chain(*steps(tasks["a"], tasks["b"]))

    assert ran == []
    assert boot.house().live() == 0


def test_a_full_queue_in_the_middle_is_refused_before_anything_has_started(
    site: Site, ran: list[Any]
) -> None:
    site.task("a", lambda job_id: ran.append(job_id))
    full = site.task("b", lambda job_id: None, size=1)
    full.pause()
    full.add()

    with pytest.raises(QueueFull):
        chain(tasks["a"].call(), tasks["b"].call(), tasks["a"].call())

    assert ran == []
    assert full.metrics()["waiting"] == 1


def test_an_unknown_task_is_named_with_the_nearest(site: Site) -> None:
    site.task("welcome", lambda job_id: None)

    with pytest.raises(TaskNotFound, match="welcome"):
        chain(tasks["welcome"].call(), tasks["wellcome"].call())


def test_a_chain_of_one_is_one_job(three: tuple[Pool, Pool, Pool]) -> None:
    done = chain(three[0].call("x")).wait(SECONDS)

    assert (done.total, done.response) == (1, "xa")
