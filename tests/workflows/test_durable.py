"""Workflows of durable tasks: rows, which any process goes on with."""

import time
from typing import Any

import pytest
from django.db import transaction

from tests.conftest import Site, until
from tests.durable.conftest import Durable, Rows, durable, journal, rows, work
from yao_tasks import boot, current_job
from yao_tasks.core.errors import JobNotFound, WorkflowNotFound
from yao_tasks.models import JobStatus, WorkflowRecord
from yao_tasks.pools import Pool, tasks
from yao_tasks.workflows import PREVIOUS, Batch, chain, find, group

__all__ = ["durable", "journal", "rows"]

SECONDS = 20


@pytest.fixture
def ran() -> list[Any]:
    return []


@pytest.fixture
def three(durable: Durable, ran: list[Any]) -> tuple[Pool, Pool, Pool]:
    """Three durable tasks, each of which notes its call and answers what it was given, with its name."""

    def handler(name: str) -> Any:
        def run(job_id: int, *args: Any) -> str:
            ran.append((name, *args))
            if "boom" in args:
                raise ValueError("no such user")
            return "".join(map(str, args)) + name

        return run

    for name in ("a", "b", "c"):
        durable(handler(name), name, size=1_000)
    return tasks["a"], tasks["b"], tasks["c"]


def test_a_chain_of_durable_steps(three: tuple[Pool, Pool, Pool], rows: Rows, ran: list[Any]) -> None:
    a, b, c = three
    flow = chain(a.call("x"), b.using(priority=3).call(PREVIOUS, 1), c.call(PREVIOUS))
    assert flow.status == "WAITING"
    assert [step.task for step in flow.info().steps] == ["a", "b", "c"]
    work()

    done = flow.wait(SECONDS)

    assert (done.status, done.response, done.percent) == ("SUCCESS", "xa1bc", 100)
    assert ran == [("a", "x"), ("b", "xa", 1), ("c", "xa1b")]
    assert done.counts == {"WAITING": 0, "RUNNING": 0, "SUCCESS": 3, "FAILURE": 0}
    assert [step.status for step in done.steps] == ["SUCCESS"] * 3
    assert list(rows.all().order_by("step").values_list("flow", "step", "priority")) == [
        (flow.id, 0, 0),
        (flow.id, 1, 3),
        (flow.id, 2, 0),
    ]
    assert find(flow.id) == flow


def test_a_failure_ends_a_chain_with_its_reason(three: tuple[Pool, Pool, Pool], ran: list[Any]) -> None:
    a, b, c = three
    work()

    done = chain(a.call(), b.call("boom"), c.call()).wait(SECONDS)

    assert (done.status, done.response, done.percent) == ("FAILURE", "no such user", 33)
    assert [step.status for step in done.steps] == ["SUCCESS", "FAILURE", None]
    assert [name for name, *_ in ran] == ["a", "b"]


def test_it_is_written_in_the_callers_transaction(
    three: tuple[Pool, Pool, Pool], journal: str, ran: list[Any], rows: Rows
) -> None:
    a, b, _ = three
    work()
    with transaction.atomic(using=journal):
        kept = chain(a.call(1), b.call(2))
    with pytest.raises(ZeroDivisionError), transaction.atomic(using=journal):
        dropped = chain(a.call(3), b.call(4))
        raise ZeroDivisionError

    assert kept.wait(SECONDS).status == "SUCCESS"
    assert ran == [("a", 1), ("b", 2)]
    with pytest.raises(WorkflowNotFound):
        dropped.info()
    assert rows.all().count() == 2


def test_the_end_of_a_step_and_the_next_one_are_one_transaction(
    three: tuple[Pool, Pool, Pool], monkeypatch: pytest.MonkeyPatch, rows: Rows, ran: list[Any]
) -> None:
    from yao_tasks.journal.durable import flows

    a, b, _ = three
    broken = [True]
    written = flows._Follower.written

    def fails_once(self: Any) -> Any:
        answer = written(self)
        if broken.pop() if broken else False:
            raise RuntimeError("cut off after the next step was written")
        return answer

    monkeypatch.setattr(flows._Follower, "written", fails_once)
    flow = chain(a.call("x"), b.call("y"))
    work()

    assert flow.wait(SECONDS).status == "SUCCESS"
    # The end of the first was rolled back with it, and written again; the handler has run once.
    assert ran == [("a", "x"), ("b", "y")]
    assert rows.all().count() == 2


def test_a_handler_that_writes_its_own_end_is_followed_as_well(
    durable: Durable, three: tuple[Pool, Pool, Pool], rows: Rows
) -> None:
    def finishes(job_id: int) -> None:
        job = current_job()
        assert job is not None
        with job.finishing(result="mine"):
            pass

    durable(finishes, "own")
    work()

    done = chain(tasks["own"].call(), tasks["b"].call(PREVIOUS)).wait(SECONDS)

    assert (done.status, done.response) == ("SUCCESS", "mineb")


def test_a_step_that_was_cancelled_ends_the_chain(three: tuple[Pool, Pool, Pool], rows: Rows) -> None:
    a, b, _ = three
    flow = chain(a.call(), b.call())
    job_id = flow.info().steps[0].job_id
    assert job_id is not None

    assert a.cancel(job_id)

    info = flow.info()
    assert info.error is not None
    assert (info.status, info.error.kind) == ("FAILURE", "cancelled")
    assert rows.all().count() == 1


def test_a_chain_is_cancelled_with_what_waits(three: tuple[Pool, Pool, Pool]) -> None:
    a, b, _ = three
    flow = chain(a.call(), b.call())

    assert flow.cancel() is True
    assert flow.cancel() is False

    info = flow.wait(1)
    assert info.error is not None
    assert info.error.kind == "cancelled"
    assert not a.jobs


def test_a_batch_is_cancelled_with_what_waits(three: tuple[Pool, Pool, Pool], rows: Rows) -> None:
    a, b, _ = three
    other = a.add("not of it")
    batch = Batch(a, [(number,) for number in range(700)], callback=b.call())

    assert batch.cancel() is True

    assert batch.state == "FAILURE"
    assert rows.all().filter(status=4, kind="cancelled").count() == 700
    assert list(a.jobs) == [other]
    assert not rows.all().filter(task="b").exists()


def test_a_groups_callback_gets_the_results_in_order(three: tuple[Pool, Pool, Pool], rows: Rows) -> None:
    a, b, c = three
    work()

    done = group(*(a.call(number) for number in range(20)), b.call("last"), callback=c.call(PREVIOUS)).wait(
        SECONDS
    )

    assert done.status == "SUCCESS"
    assert done.response == str([f"{number}a" for number in range(20)] + ["lastb"]) + "c"
    assert (done.total, done.counts["SUCCESS"], len(done.steps)) == (21, 21, 21)
    assert done.callback is not None
    assert done.callback.status == "SUCCESS"
    assert rows.all().filter(task="c").count() == 1


def test_a_group_with_a_failure_calls_nobody_back(three: tuple[Pool, Pool, Pool], rows: Rows) -> None:
    a, _, c = three
    work()

    done = group(a.call(1), a.call("boom"), callback=c.call(PREVIOUS)).wait(SECONDS)

    assert done.response == "1 of the 2 jobs of the group failed; the first: no such user"
    assert not rows.all().filter(task="c").exists()


def test_a_batch_calls_back_with_its_counts(three: tuple[Pool, Pool, Pool], rows: Rows) -> None:
    a, b, _ = three
    work()

    batch = Batch(a, [(number,) for number in range(300)] + [("boom",)] * 3, callback=b.call(PREVIOUS))

    done = batch.wait(60)
    counts = {"WAITING": 0, "RUNNING": 0, "SUCCESS": 300, "FAILURE": 3}
    assert done.counts == counts
    assert done.callback is not None
    assert b.get(done.callback.job_id or 0).args == (counts,)
    assert done.status == "FAILURE"
    # Its rows may go: it stays known.
    rows.all().delete()
    assert batch.info().counts == counts


def test_a_batch_of_nothing_has_succeeded(three: tuple[Pool, Pool, Pool]) -> None:
    work()

    assert Batch(three[0], []).status == "SUCCESS"
    assert Batch(three[0], [], callback=three[1].call("none")).wait(SECONDS).response == "noneb"


def test_what_nobody_goes_on_with_is_found_by_a_sweep(
    three: tuple[Pool, Pool, Pool], rows: Rows, journal: str
) -> None:
    a, b, _ = three
    flow = chain(a.call(), b.call())
    both = group(a.call(), callback=b.call())
    # As if a process had written this that knows nothing of workflows.
    rows.all().filter(task="a").update(status=JobStatus.SUCCESS, result='"x"')
    work()

    assert flow.wait(SECONDS).status == "SUCCESS"
    assert both.wait(SECONDS).status == "SUCCESS"
    assert WorkflowRecord.objects.using(journal).filter(state=JobStatus.RUNNING).count() == 0


def test_the_add_event_of_what_follows_comes_before_its_run(durable: Durable, rows: Rows) -> None:
    order: list[str] = []
    durable(lambda job_id: None, "first")
    durable(
        lambda job_id: order.append("run"),
        "second",
        event={"add": lambda job_id: (time.sleep(0.05), order.append("add"))},
    )
    work()

    assert chain(tasks["first"].call(), tasks["second"].call()).wait(SECONDS).status == "SUCCESS"

    until(lambda: len(order) == 2, "both")
    assert order == ["add", "run"]


def test_a_result_that_is_too_large_for_an_argument_ends_it_with_a_reason(durable: Durable) -> None:
    durable(lambda job_id: "x" * 70_000, "first")
    durable(lambda job_id, what: None, "second")
    work()

    done = chain(tasks["first"].call(), tasks["second"].call(PREVIOUS)).wait(SECONDS)

    assert done.status == "FAILURE"
    assert 'Step 2, of "second", could not be added: The arguments take 70,' in done.response


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"durable": False}, '"a" is durable and "other" is not'),
        ({"durable": True, "unique": True}, '"other" is unique, and is added by the database'),
        ({"durable": True, "event": {"next": lambda: 7}}, "makes its own ids"),
    ],
    ids=["in memory", "unique", "ids of its own"],
)
def test_what_can_not_follow_is_refused(
    site: Site, three: tuple[Pool, Pool, Pool], keys: dict[str, Any], text: str, rows: Rows
) -> None:
    other = site.task("other", lambda job_id: None, **keys)

    with pytest.raises(ValueError, match=text):
        chain(three[0].call(), other.call())

    assert rows.all().count() == 0


def test_old_workflows_go_with_the_history(three: tuple[Pool, Pool, Pool], journal: str) -> None:
    from yao_tasks.journal.pruning import Keep, forget_workflows

    work()
    flow = chain(three[0].call())
    flow.wait(SECONDS)
    boot.house().home.journal.flush()

    forget_workflows(journal, Keep(days=0.0), time.time() + 60)

    with pytest.raises(WorkflowNotFound):
        flow.info()
    with pytest.raises(JobNotFound):
        three[0].get(flow.id)
