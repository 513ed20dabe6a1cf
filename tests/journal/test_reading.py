"""History: a recorded job is found after memory has forgotten it, and tried again."""

import asyncio
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction

from tests.conftest import SECONDS, Site, until
from tests.journal.conftest import Recorded, Rows, forget, written
from yao_tasks import boot, current_job
from yao_tasks.core import machine
from yao_tasks.core.jobs import Job
from yao_tasks.core.lifecycle import TRIED_AGAIN
from yao_tasks.core.queries import Query
from yao_tasks.engines.search import Pages
from yao_tasks.errors import BadJobId, JobElsewhere, JobNotFound, QueueFull
from yao_tasks.journal import sql
from yao_tasks.models import JobOwner, JobRecord, JobStatus
from yao_tasks.pools import Pool


def run(pool: Pool, *args: Any) -> Any:
    """Run a job, and have memory forget it. Answers its picture from before."""
    info = pool.wait(pool.add(*args), SECONDS)
    written()
    forget()
    return info


def flaky(job_id: int, *args: Any) -> str:
    job = current_job()
    assert job is not None
    job.progress(1, 4, "a quarter")
    if job.attempt == 1:
        raise ValueError("once")
    return f"run {job.attempt}"


def test_what_memory_has_forgotten_looks_as_it_looked_in_memory(task: Recorded) -> None:
    pool = task(flaky)
    before = run(pool, "Ada", 2)

    after = pool.get(before.id)

    assert after.as_dict() == {**before.as_dict(), **moments_of(after)}
    assert after.elapsed == pytest.approx(before.elapsed, abs=0.00001)
    for name, moment in moments_of(before).items():
        near = moment is None or name == "elapsed"
        assert near or abs((getattr(after, name) - moment).total_seconds()) < 0.00001


def moments_of(info: Any) -> dict[str, Any]:
    return {name: getattr(info, name) for name in ("added_at", "started_at", "ended_at", "due_at", "elapsed")}


def test_each_way_to_look_finds_it(task: Recorded, journal: str) -> None:
    pool = task(flaky)
    job_id = run(pool).id

    assert pool.wait(job_id, 0).error is not None
    assert [info.id for info in pool.as_completed([job_id], SECONDS)] == [job_id]
    assert [info.id for info in pool.search()] == [job_id]

    async def look() -> list[Any]:
        found = [await pool.aget(job_id), await pool.await_end(job_id, 1), await pool.acancel(job_id)]
        # That thread's connection would be of this database for ever.
        await sync_to_async(part)()
        return found

    def part() -> None:
        connections[journal].close()
        del connections[journal]

    got, ended, cancelled = asyncio.run(look())
    assert (got.id, ended.status, cancelled) == (job_id, "FAILURE", False)


def test_with_retention_0_a_job_is_found_as_soon_as_it_has_ended(task: Recorded) -> None:
    pool = task(lambda job_id, number: number, retention=0)

    for number in range(20):
        job_id = pool.add(number)
        until(lambda job_id=job_id: job_id not in pool.jobs)
        assert pool.get(job_id).response == number


def test_a_restart_forgets_nothing(site: Site, task: Recorded) -> None:
    pool = task(flaky)
    job_id = pool.add("Ada")
    pool.wait(job_id, SECONDS)

    boot.reset()

    assert (pool.get(job_id).status, pool.get(job_id).args) == ("FAILURE", ("Ada",))
    assert pool.get(job_id).response == "once"


def test_an_unknown_id_and_that_of_another_task_are_not_found(task: Recorded) -> None:
    pool, other = task(flaky), task(flaky, "other")
    job_id = run(other).id

    for unknown in (job_id, 7, 2**60, -1):
        with pytest.raises(JobNotFound):
            pool.get(unknown)
        with pytest.raises(JobNotFound):
            pool.wait(unknown, 1)
        assert pool.cancel(unknown) is False
        with pytest.raises(JobNotFound):
            pool.retry(unknown)
    with pytest.raises(BadJobId):
        pool.get("7")  # type: ignore[arg-type]


def test_a_failure_of_an_earlier_process_runs_again_under_its_id(task: Recorded, rows: Rows) -> None:
    pool = task(flaky)
    job_id = run(pool, "Ada").id
    boot.reset()

    pool.retry(job_id)

    info = pool.wait(job_id, SECONDS)
    assert (info.status, info.response, info.attempt, info.args) == ("SUCCESS", "run 2", 2, ("Ada",))
    row = rows.until(job_id, status=JobStatus.SUCCESS)
    assert (row.kind, row.error, row.base, row.attempt) == ("", "", 1, 2)
    assert rows.all().count() == 1


def test_a_failure_that_memory_still_knows_runs_again_in_the_same_row(task: Recorded, rows: Rows) -> None:
    pool = task(flaky)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    written()

    pool.retry(job_id)

    pool.wait(job_id, SECONDS)
    rows.until(job_id, status=JobStatus.SUCCESS, attempt=2, base=1)
    assert rows.all().count() == 1


def test_what_is_no_failure_can_not_be_retried(task: Recorded) -> None:
    pool = task(lambda job_id: None)
    job_id = run(pool).id

    with pytest.raises(ValueError, match="is no failure"):
        pool.retry(job_id)


def test_a_full_queue_leaves_a_recorded_failure_as_it_is(site: Site, task: Recorded, rows: Rows) -> None:
    gate = site.gate()

    def handler(job_id: int, what: str) -> None:
        if what == "fail":
            raise ValueError
        gate(job_id)

    pool = task(handler, worker_nums=1, size=1)
    job_id = run(pool, "fail").id
    pool.add("wait")
    gate.entered()
    pool.add("wait")

    with pytest.raises(QueueFull):
        pool.retry(job_id)

    assert pool.get(job_id).status == "FAILURE"
    row = rows.of(job_id)
    assert row is not None
    assert row.status == JobStatus.FAILURE


def test_of_many_who_retry_a_recorded_failure_one_has_it(task: Recorded, rows: Rows) -> None:
    pool = task(flaky)
    job_id = run(pool).id
    said: list[str] = []
    barrier = threading.Barrier(4)

    def retry() -> None:
        barrier.wait(SECONDS)
        try:
            pool.retry(job_id)
            said.append("done")
        except (JobNotFound, ValueError, BadJobId) as error:
            said.append(type(error).__name__)
        finally:
            connections[rows.database].close()

    threads = [threading.Thread(target=retry) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)

    assert said.count("done") == 1, said
    assert pool.wait(job_id, SECONDS).attempt == 2
    rows.until(job_id, attempt=2, status=JobStatus.SUCCESS)


def test_a_retry_in_a_transaction_that_is_rolled_back_never_was(
    task: Recorded, rows: Rows, journal: str
) -> None:
    pool = task(flaky)
    job_id = run(pool).id

    with pytest.raises(ZeroDivisionError), transaction.atomic(using=journal):
        pool.retry(job_id)
        assert pool.get(job_id).status == "WAITING"
        1 / 0  # noqa: B018

    until(lambda: pool.get(job_id).status == "FAILURE")
    row = rows.of(job_id)
    assert row is not None
    assert (row.status, row.error) == (JobStatus.FAILURE, "once")
    with transaction.atomic(using=journal):
        pool.retry(job_id)
    assert pool.wait(job_id, SECONDS).status == "SUCCESS"


def test_a_search_joins_memory_and_rows_in_one_order(site: Site, task: Recorded) -> None:
    gate = site.gate()

    def handler(job_id: int, name: str) -> None:
        if name == "waits":
            gate(job_id)
        if name == "fails":
            raise ValueError("on purpose")

    pool = task(handler)
    old = [run(pool, "fails" if number % 2 else "works").id for number in range(6)]
    remembered = [pool.wait(pool.add("works"), SECONDS).id for _ in range(2)]
    live = [pool.add("waits"), pool.add("waits")]
    gate.entered(2)
    all_ids = [*old, *remembered, *live]

    assert [info.id for info in pool.search()] == all_ids[::-1]
    assert [info.id for info in pool.search(order="added_at")] == all_ids
    assert [info.id for info in pool.search(order="ended_at")] == all_ids
    assert [info.id for info in pool.search(order="-ended_at")] == all_ids[::-1]
    for size in (1, 3, 4, 100):
        pages = [pool.search(order="added_at", offset=start, limit=size) for start in range(0, 10, size)]
        assert [info.id for page in pages for info in page] == all_ids
    assert [info.id for info in pool.search(status="FAILURE")] == [old[5], old[3], old[1]]
    assert [info.id for info in pool.search(status="RUNNING", order="added_at")] == live
    assert [info.id for info in pool.search(kind="raised", text="PURPOSE", order="added_at")] == old[1::2]
    assert [info.id for info in pool.search(text="fails", order="added_at")] == old[1::2]
    assert [info.id for info in pool.search(text=str(old[0]))] == [old[0]]
    assert pool.search(text="100%") == []
    assert pool.search(kind="timeout") == []
    third = pool.get(old[2]).added_at
    assert [info.id for info in pool.search(since=third, order="added_at")] == all_ids[2:]
    assert [info.id for info in pool.search(until=third, order="added_at")] == all_ids[:2]
    assert pool.search(since=datetime.now(UTC) + timedelta(days=1)) == []


def test_an_id_that_a_recorded_job_has_is_refused(task: Recorded) -> None:
    ids = iter([5, 6, 5])
    pool = task(lambda job_id: None, event={"next": lambda: next(ids)})
    run(pool)
    run(pool)

    with pytest.raises(BadJobId, match="5, which a recorded job of this task has"):
        pool.add()


@pytest.mark.parametrize(
    "changes",
    [
        {"args": "no JSON"},
        {"args": "[1]"},
        {"result": "{"},
        {"status": 9},
        {"status": -1},
        {"kind": "odd"},
        {"attempt": -1},
        {"runs": "{"},
        {"owner_id": None},
        {"owner_id": 10**9},
        {"ended_at": None, "status": 2, "owner_id": None},
    ],
    ids=lambda changes: "-".join(map(str, changes)),
)
def test_a_row_that_was_changed_by_hand_is_shown_as_far_as_it_can_be_read(
    task: Recorded, rows: Rows, changes: dict[str, Any]
) -> None:
    pool = task(lambda job_id, *_: "done")
    job_id = run(pool, 1).id
    rows.all().filter(job_id=job_id).update(**changes)

    assert pool.get(job_id).id == job_id
    assert [info.id for info in pool.search()] == [job_id]
    # The next ones don't care.
    assert pool.wait(pool.add(2), SECONDS).status == "SUCCESS"


def test_records_by_event_are_rows_as_well(site: Site, journal: str, rows: Rows) -> None:
    def handler(job_id: int, name: str) -> str:
        job = current_job()
        assert job is not None
        job.progress(1, 2, "half")
        if name == "bad":
            raise ValueError("no")
        return name

    from yao_tasks import events

    pool = site.task(
        "job",
        handler,
        event={
            "add": events.record_add,
            "progress": events.record_progress,
            "success": events.record_success,
            "error": events.record_error,
        },
    )
    good, bad = pool.add("good"), pool.add("bad")

    row = rows.until(good, status=JobStatus.SUCCESS)
    assert (row.args, row.result, row.message) == ('[["good"],{}]', '"good"', "half")
    assert rows.until(bad, status=JobStatus.FAILURE).error == "no"


def test_an_event_that_records_outside_a_job_says_what_it_is_for(journal: str) -> None:
    from yao_tasks import events

    with pytest.raises(RuntimeError, match="are for a definition's `event`"):
        events.record_add(1)


def test_an_inline_job_is_written_in_the_callers_transaction(
    site: Site, journal: str, rows: Rows, settings: Any
) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "ENGINE": "inline"}
    pool = site.task("job", lambda job_id: "done", record=True)

    job_id = pool.add()
    row = rows.of(job_id)
    with transaction.atomic(using=journal):
        gone = pool.add()
        assert rows.of(gone) is not None
        transaction.set_rollback(True, using=journal)

    assert row is not None
    assert (row.status, row.result) == (JobStatus.SUCCESS, '"done"')
    assert rows.of(gone) is None
    assert time.monotonic()


@pytest.mark.parametrize("restart", [False, True])
def test_the_runs_of_all_lives_are_kept(task: Recorded, rows: Rows, restart: bool) -> None:
    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        raise ValueError(f"failure {job.attempt}")

    pool = task(handler, attempts=1, attempt_after=0)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    written()
    if restart:
        boot.reset()

    pool.retry(job_id)

    pool.wait(job_id, SECONDS)
    row = rows.until(job_id, attempt=4, status=JobStatus.FAILURE)
    assert [(run["attempt"], run["message"]) for run in json.loads(row.runs)] == [
        (number, f"failure {number}") for number in (1, 2, 3)
    ]
    assert row.error == "failure 4"
    assert all(
        "in handler" in run["traceback"] and run["started"] <= run["ended"] for run in json.loads(row.runs)
    )


def test_late_news_of_an_earlier_life_are_not_written(site: Site, task: Recorded, rows: Rows) -> None:
    gate = site.gate()

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        if job.attempt == 1:
            raise ValueError("once")
        gate(job_id)

    pool = task(handler)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    old = boot.house().engines["job"].life.ended[job_id]  # type: ignore[attr-defined]
    pool.retry(job_id)
    gate.entered()
    rows.until(job_id, status=JobStatus.RUNNING)

    old.row.touch(old)
    written()

    row = rows.of(job_id)
    assert row is not None
    assert (row.status, row.attempt, row.error) == (JobStatus.RUNNING, 2, "")


def test_a_row_of_another_process_with_the_same_id_is_left_alone(
    task: Recorded, rows: Rows, journal: str
) -> None:
    pool = task(lambda job_id: "mine")
    job_id = run(pool).id
    row = rows.of(job_id)
    assert row is not None
    other = JobOwner.objects.using(journal).create(
        machine="other",
        boot="",
        pid_space="",
        pid=1,
        born="",
        host="other",
        role="server",
        started_at=row.added_at,
    )
    rows.all().filter(job_id=job_id).update(owner=other, result='"theirs"')

    theirs = [getattr(row, column) for column in sql.COLUMNS]
    sql.write(connections[journal], [tuple(theirs)])

    kept = rows.of(job_id)
    assert kept is not None
    assert (kept.result, kept.owner_id) == ('"theirs"', other.pk)


def test_a_recorded_failure_is_claimed_once(task: Recorded, rows: Rows) -> None:
    pool = task(flaky)
    job_id = run(pool).id
    journal = boot.house().home.journal
    seen = [journal.past("job", job_id), journal.past("job", job_id)]

    claimed = [journal.claim_failure(past, TRIED_AGAIN) for past in seen if past is not None]

    assert claimed == [True, False]
    row = rows.of(job_id)
    assert row is not None
    assert (row.status, row.base, row.error) == (JobStatus.WAITING, 1, "")


def stranger(journal: str, **fields: Any) -> JobOwner:
    """Another process: of this machine and dead, unless the fields say otherwise."""
    here = machine.mine()
    given = {
        "machine": here.machine,
        "boot": here.boot,
        "pid_space": here.pid_space,
        "pid": 2**22 + 1,
        "born": "1",
        "host": "stranger",
        "role": "server",
        "started_at": datetime.now(UTC),
        **fields,
    }
    return JobOwner.objects.using(journal).create(**given)


def test_what_a_dead_process_left_is_buried_and_nothing_else(
    task: Recorded, rows: Rows, journal: str
) -> None:
    pool = task(lambda job_id: None)
    dead, elsewhere = stranger(journal), stranger(journal, machine="another")
    common = {"task": "job", "args": "[[],{}]", "added_at": datetime.now(UTC), "status": JobStatus.RUNNING}
    for number, owner, fields in (
        (1, dead, {}),
        (2, elsewhere, {}),
        (3, None, {}),
        (4, dead, {"durable": True}),
        (5, dead, {"status": JobStatus.SUCCESS, "ended_at": datetime.now(UTC)}),
    ):
        rows.all().create(job_id=number, owner=owner, **{**common, **fields})

    assert pool.get(1).error is not None
    pool.wait(pool.add(), SECONDS)
    written()

    found = {number: pool.get(number) for number in range(1, 6)}
    assert [info.status for info in found.values()] == ["FAILURE", "RUNNING", "RUNNING", "RUNNING", "SUCCESS"]
    error = found[1].error
    assert error is not None
    assert (error.kind, error.type) == ("lost", "yao_tasks.errors.JobLost")
    assert f"The process stranger:{dead.pid} ended" in error.message
    dead.refresh_from_db()
    assert dead.ended_at is not None


def test_a_retry_that_comes_too_late_leaves_nothing_in_memory(
    task: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = task(flaky)
    job_id = run(pool).id
    monkeypatch.setattr(boot.house().home.journal, "claim_failure", lambda past, fields: False)

    with pytest.raises(JobNotFound, match="no longer known as a failure"):
        pool.retry(job_id)

    assert dict(pool.jobs) == {}
    assert pool.metrics()["queued"] == 0


def test_a_job_of_ones_own_whose_row_is_behind_is_no_other_process_s(task: Recorded, rows: Rows) -> None:
    pool = task(lambda job_id: None)
    job_id = run(pool).id
    rows.all().filter(job_id=job_id).update(status=JobStatus.RUNNING, ended_at=None)

    assert pool.cancel(job_id) is False


def test_a_row_that_is_on_its_way_from_another_process_is_waited_for(
    task: Recorded, rows: Rows, journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = task(lambda job_id: None)
    engine = boot.engine("job")
    monkeypatch.setattr(engine, "_elsewhere", lambda job_id: "another process")
    row = JobRecord(
        task="job", job_id=7, status=JobStatus.WAITING, args="[[],{}]", added_at=datetime.now(UTC)
    )

    def write() -> None:
        time.sleep(0.05)
        row.save(using=journal)
        connections[journal].close()

    thread = threading.Thread(target=write)
    thread.start()
    info = pool.get(7)
    thread.join()

    assert info.status == "WAITING"


def test_a_job_that_waits_after_its_commit_is_a_row_and_follows_its_start(
    site: Site, task: Recorded, rows: Rows, journal: str
) -> None:
    gate = site.gate()
    pool = task(gate)
    pool.pause()

    with transaction.atomic(using=journal):
        job_id = pool.using(database=journal).add()

    rows.until(job_id, status=JobStatus.WAITING)
    pool.resume()
    rows.until(job_id, status=JobStatus.RUNNING)
    gate.open()
    rows.until(job_id, status=JobStatus.SUCCESS)


def test_a_job_that_comes_while_one_looks_is_found_by_the_next_look(
    task: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = task(flaky)
    pool.pause()
    before, late = pool.add(), []
    page = Pages.page

    def interrupted(pages: Pages, query: Query) -> list[Job]:
        memory = page(pages, query)
        late.append(pool.add())
        written()
        return memory

    monkeypatch.setattr(Pages, "page", interrupted)

    assert [info.id for info in pool.search()] == [before]
    assert [info.id for info in pool.search()] == [late[0], before]


def test_a_failure_that_another_process_has_tried_again_is_what_its_row_says(
    task: Recorded, journal: str, rows: Rows
) -> None:
    """Each process tells the same, also the one that remembers the failure; and none runs it twice."""
    runs: list[int] = []

    def fail(job_id: int) -> None:
        runs.append(job_id)
        raise ValueError("refused")

    pool = task(fail)
    theirs, mine = pool.add(), pool.add()
    for job_id in (theirs, mine):
        assert pool.wait(job_id, SECONDS).status == "FAILURE"
    written()
    other = stranger(journal)
    rows.all().filter(job_id=theirs).update(
        status=JobStatus.SUCCESS, kind="", error="", error_type="", owner=other, result="1"
    )

    assert [info.id for info in pool.search(status="FAILURE")] == [mine]
    assert [info.id for info in pool.search(status="SUCCESS")] == [theirs]
    assert (pool.get(theirs).status, pool.get(mine).status) == ("SUCCESS", "FAILURE")
    with pytest.raises(ValueError, match="is no failure"):
        pool.retry(theirs)
    assert runs.count(theirs) == 1


def test_it_is_not_tried_again_by_who_has_not_looked_since(task: Recorded, journal: str, rows: Rows) -> None:
    pool = task(flaky)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)
    written()
    rows.all().filter(job_id=job_id).update(
        status=JobStatus.RUNNING, owner=stranger(journal, machine="another")
    )

    with pytest.raises(JobElsewhere):
        pool.retry(job_id)
