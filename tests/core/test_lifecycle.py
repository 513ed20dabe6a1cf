"""Every state x every verb x fresh and stale news: what happens, and that nothing else changes."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import until
from yao_tasks.core.crew import Crew
from yao_tasks.core.errors import BadJobId, PoolClosed, QueueFull
from yao_tasks.core.failures import cancelled, timed_out
from yao_tasks.core.jobs import (
    ADDING,
    DELAYED,
    DROPPED,
    FAILED,
    HELD,
    READY,
    RETRYING,
    RUNNING,
    SUCCEEDED,
    Job,
    JobError,
    draw,
)
from yao_tasks.core.lifecycle import RUNS, WAITS, Lifecycle
from yao_tasks.core.waiting import wait

RAISED = JobError(kind="raised", type="ValueError", message="no", traceback="")
CANCELLED = cancelled("enough")
COUNTERS = ("queued", "ready_count", "postponed", "busy", "stuck", "added", "started", "succeeded", "retried")


def life_with(*, size: int = 5, worker_nums: int = 1, keeps_ended: bool = True) -> Lifecycle:
    life = Lifecycle("mail", worker_nums=worker_nums, size=size, keeps_ended=keeps_ended)
    life.threads = worker_nums
    return life


def new_job(job_id: int = 1) -> Job:
    job = Job(job_id, (), {}, 10.0, 1_000.0)
    job.holder = 1
    return job


def bring(life: Lifecycle, job: Job, status: int) -> Job:
    """Bring a new job to a state, by the verbs alone. Every run that was needed is run 1."""
    first = {HELD: HELD, ADDING: ADDING, DELAYED: ADDING, DROPPED: HELD}.get(status, READY)
    life.admit(job, first)
    if first == READY:
        job.holder = None
    if status == DELAYED:
        job.due = 19.0
        life.release(job)
    if status == DROPPED:
        life.drop(job)
    if status in (RETRYING, RUNNING, SUCCEEDED, FAILED):
        life.start(job, "w", 11.0)
    if status == RETRYING:
        life.postpone(job, 1, 13.0)
        life.rest(late=False)
    if status == SUCCEEDED:
        life.succeed(job, 1, "result", 12.0, resting=True)
    if status == FAILED:
        life.fail(job, 1, RAISED, 12.0)
        life.rest(late=False)
    assert job.status == status
    return job


# Three slots are named as counters or maps are.
SLOTS = {"added": "added_at_first", "started": "started_at", "ended": "ended_at"}


def picture(life: Lifecycle, job: Job) -> dict[str, Any]:
    """All that a verb might change, flat."""
    fields = {SLOTS.get(slot, slot): getattr(job, slot) for slot in Job.__slots__ if slot != "waiters"}
    counters = {name: getattr(life, name) for name in COUNTERS}
    places = {
        "jobs": job.id in life.jobs,
        "running": job.id in life.running,
        "in_ended": job.id in life.ended,
        "failed": dict(life.failed),
    }
    return {**fields, **counters, **places}


Verb = Callable[[Lifecycle, Job], Any]
TIMEOUT = timed_out("slow")
HALF = (1, 2, "half")
VERBS: dict[str, Verb] = {
    "accept": lambda life, job: life.accept(job),
    "release": lambda life, job: life.release(job),
    "drop": lambda life, job: life.drop(job),
    "start": lambda life, job: life.start(job, "w2", 20.0),
    "succeed": lambda life, job: life.succeed(job, 1, "late", 20.0, resting=True),
    "succeed stale": lambda life, job: life.succeed(job, 7, "late", 20.0, resting=True),
    "fail": lambda life, job: life.fail(job, 1, RAISED, 20.0),
    "fail stale": lambda life, job: life.fail(job, 7, RAISED, 20.0),
    "postpone": lambda life, job: life.postpone(job, 1, 30.0),
    "postpone stale": lambda life, job: life.postpone(job, 7, 30.0),
    "ready": lambda life, job: life.ready(job, 1, 20.0),
    "ready early": lambda life, job: life.ready(job, 0, 20.0),
    "ready stale": lambda life, job: life.ready(job, 7, 20.0),
    "cut off": lambda life, job: life.postpone(job, 1, 30.0, stuck=True),
    "purge": lambda life, job: life.end(job, CANCELLED, 20.0, among=WAITS),
    "expire": lambda life, job: life.end(job, CANCELLED, 20.0, among=WAITS, attempt=job.base),
    "deadline": lambda life, job: life.end(job, TIMEOUT, 20.0, among=RUNS, attempt=1),
    "deadline stale": lambda life, job: life.end(job, TIMEOUT, 20.0, among=RUNS, attempt=7),
    "cancel": lambda life, job: life.end(job, CANCELLED, 20.0),
    "report": lambda life, job: life.report(job, 1, HALF),
    "report stale": lambda life, job: life.report(job, 7, HALF),
    "report from outside": lambda life, job: life.report(job, None, HALF),
}
GONE = {"jobs": False, "ended_at": 20.0}
CANCEL = {**GONE, "status": FAILED, "error": CANCELLED, "in_ended": True}
COUNTED = {"raised": 0, "timeout": 0, "cancelled": 1, "lost": 0}

# state, verb -> what the verb answers, and everything that changes. Whatever isn't here answers no and changes nothing.
ALLOWED: dict[tuple[int, str], tuple[Any, dict[str, Any]]] = {
    (HELD, "accept"): (True, {"status": ADDING, "added": 1}),
    (HELD, "drop"): (True, {"status": DROPPED, "jobs": False, "queued": 0}),
    (HELD, "cancel"): (HELD, {**CANCEL, "queued": 0}),
    (HELD, "report from outside"): (True, {"progress": HALF}),
    (ADDING, "release"): (READY, {"status": READY, "ready_count": 1, "holder": None}),
    (ADDING, "cancel"): (ADDING, {**CANCEL, "queued": 0, "failed": COUNTED}),
    (ADDING, "report from outside"): (True, {"progress": HALF}),
    (DELAYED, "ready early"): (
        True,
        {"status": READY, "due": None, "ready": 20.0, "postponed": 0, "ready_count": 1},
    ),
    (DELAYED, "cancel"): (DELAYED, {**CANCEL, "due": None, "postponed": 0, "queued": 0, "failed": COUNTED}),
    (DELAYED, "purge"): (DELAYED, {**CANCEL, "due": None, "postponed": 0, "queued": 0, "failed": COUNTED}),
    (DELAYED, "expire"): (DELAYED, {**CANCEL, "due": None, "postponed": 0, "queued": 0, "failed": COUNTED}),
    (DELAYED, "report from outside"): (True, {"progress": HALF}),
    (RETRYING, "ready"): (
        True,
        {"status": READY, "due": None, "ready": 20.0, "postponed": 0, "ready_count": 1},
    ),
    (RETRYING, "purge"): (RETRYING, {**CANCEL, "due": None, "postponed": 0, "failed": COUNTED}),
    (HELD, "purge"): (HELD, {**CANCEL, "queued": 0}),
    (HELD, "expire"): (HELD, {**CANCEL, "queued": 0}),
    (ADDING, "purge"): (ADDING, {**CANCEL, "queued": 0, "failed": COUNTED}),
    (ADDING, "expire"): (ADDING, {**CANCEL, "queued": 0, "failed": COUNTED}),
    (READY, "purge"): (READY, {**CANCEL, "queued": 0, "ready_count": 0, "failed": COUNTED}),
    (READY, "expire"): (READY, {**CANCEL, "queued": 0, "ready_count": 0, "failed": COUNTED}),
    (RUNNING, "cut off"): (
        True,
        {"status": RETRYING, "due": 30.0, "running": False, "postponed": 1, "retried": 1, "stuck": 1},
    ),
    (RETRYING, "cancel"): (RETRYING, {**CANCEL, "due": None, "postponed": 0, "failed": COUNTED}),
    (RETRYING, "report from outside"): (True, {"progress": HALF}),
    (READY, "start"): (
        1,
        {
            "status": RUNNING,
            "attempt": 1,
            "started_at": 20.0,
            "worker": "w2",
            "running": True,
            "queued": 0,
            "ready_count": 0,
            "busy": 1,
            "started": 1,
        },
    ),
    (READY, "cancel"): (READY, {**CANCEL, "queued": 0, "ready_count": 0, "failed": COUNTED}),
    (READY, "report from outside"): (True, {"progress": HALF}),
    (RUNNING, "succeed"): (
        True,
        {
            **GONE,
            "status": SUCCEEDED,
            "result": "late",
            "running": False,
            "in_ended": True,
            "busy": 0,
            "succeeded": 1,
        },
    ),
    (RUNNING, "fail"): (
        True,
        {
            **GONE,
            "status": FAILED,
            "error": RAISED,
            "running": False,
            "in_ended": True,
            "failed": {**COUNTED, "cancelled": 0, "raised": 1},
        },
    ),
    (RUNNING, "postpone"): (
        True,
        {"status": RETRYING, "due": 30.0, "running": False, "postponed": 1, "retried": 1},
    ),
    (RUNNING, "deadline"): (
        RUNNING,
        {
            **CANCEL,
            "error": TIMEOUT,
            "running": False,
            "stuck": 1,
            "failed": {**COUNTED, "cancelled": 0, "timeout": 1},
        },
    ),
    (RUNNING, "cancel"): (RUNNING, {**CANCEL, "running": False, "stuck": 1, "failed": COUNTED}),
    (RUNNING, "report"): (True, {"progress": HALF}),
    (RUNNING, "report from outside"): (True, {"progress": HALF}),
}
STATES = {
    "HELD": HELD,
    "ADDING": ADDING,
    "DELAYED": DELAYED,
    "RETRYING": RETRYING,
    "READY": READY,
    "RUNNING": RUNNING,
    "SUCCEEDED": SUCCEEDED,
    "FAILED": FAILED,
    "DROPPED": DROPPED,
}
# The adder owns the job until it is released: these are never called in any other state.
ADDERS = {"accept", "release"}
CASES = [
    (state, verb)
    for state in STATES
    for verb in VERBS
    if verb not in ADDERS or (STATES[state], verb) in ALLOWED
]


@pytest.mark.parametrize(("state", "verb"), CASES)
def test_each_verb_in_each_state_does_what_the_table_says_and_nothing_else(state: str, verb: str) -> None:
    life, job = life_with(), new_job()
    bring(life, job, STATES[state])
    before = picture(life, job)
    answer, changes = ALLOWED.get((STATES[state], verb), (None, {}))

    told = VERBS[verb](life, job)

    after = picture(life, job)
    assert (told == answer) if changes else not told
    assert {key: after[key] for key in after if after[key] != before[key]} == changes


def test_the_table_names_only_verbs_and_states_there_are() -> None:
    assert {verb for _, verb in ALLOWED} <= set(VERBS)
    assert len(CASES) == len(STATES) * (len(VERBS) - len(ADDERS)) + 2


def test_a_cancel_before_the_commit_counts_from_the_commit_on() -> None:
    life, job = life_with(), new_job()
    bring(life, job, HELD)
    life.end(job, CANCELLED, 20.0)
    assert (life.added, life.failed["cancelled"]) == (0, 0)

    accepted, released = life.accept(job), life.release(job)

    assert (accepted, released, job.status) == (False, None, FAILED)
    assert (life.added, life.failed["cancelled"]) == (1, 1)


def test_a_job_cancelled_before_its_rollback_never_was() -> None:
    life, job = life_with(), new_job()
    bring(life, job, HELD)
    life.end(job, CANCELLED, 20.0)

    assert life.drop(job)

    assert (life.jobs, life.ended, life.queued, life.added, life.failed["cancelled"]) == ({}, {}, 0, 0, 0)


def test_a_job_cancelled_while_it_is_added_is_not_released() -> None:
    life, job = life_with(), new_job()
    bring(life, job, ADDING)
    life.end(job, CANCELLED, 20.0)

    assert not life.release(job)

    assert (job.status, job.holder, life.ready_count) == (FAILED, None, 0)


def test_the_second_run_starts_with_fresh_progress_and_takes_no_place_in_the_queue() -> None:
    life, job = life_with(size=1), new_job()
    bring(life, job, RUNNING)
    life.report(job, 1, HALF)
    life.postpone(job, 1, 13.0)
    life.rest(late=False)
    life.ready(job, 1, 20.0)
    life.admit(new_job(2), READY)
    life.admit(new_job(3), READY)

    attempt = life.start(job, "w", 14.0)

    assert (attempt, job.progress, life.queued) == (2, (0, 0, ""), 2)


@pytest.mark.parametrize("verb", ["succeed", "fail", "postpone", "deadline", "report"])
def test_news_of_the_first_run_is_stale_once_the_second_runs(verb: str) -> None:
    life, job = life_with(), new_job()
    bring(life, job, RETRYING)
    life.ready(job, 1, 20.0)
    life.start(job, "w", 14.0)
    before = picture(life, job)

    assert not VERBS[verb](life, job)

    assert picture(life, job) == before


def test_a_run_that_somebody_else_settled_keeps_its_worker_busy_until_it_comes_back() -> None:
    life, job = life_with(), new_job()
    bring(life, job, RUNNING)
    life.end(job, TIMEOUT, 20.0, among=RUNS, attempt=1)
    assert (life.busy, life.stuck) == (1, 1)

    life.rest(late=True)

    assert (life.busy, life.stuck) == (0, 0)


def test_admission_counts_the_free_workers_and_refuses_beyond_size() -> None:
    life = life_with(size=2, worker_nums=1)
    for number in (1, 2, 3):
        life.admit(new_job(number), READY)

    with pytest.raises(QueueFull, match='"mail" has 2 jobs waiting beyond its free workers'):
        life.admit(new_job(4), READY)

    assert (len(life.jobs), life.queued) == (3, 3)


def test_an_id_that_lives_or_is_remembered_is_not_taken_twice() -> None:
    life = life_with(worker_nums=2)
    bring(life, new_job(1), SUCCEEDED)
    bring(life, new_job(2), READY)

    for number in (1, 2):
        with pytest.raises(BadJobId, match=f"Job {number} "):
            life.admit(new_job(number), READY)


def test_a_closed_pool_takes_no_job() -> None:
    life = life_with()
    life.close()

    with pytest.raises(PoolClosed):
        life.admit(new_job(), READY)


def test_without_retention_an_ended_job_is_in_no_map() -> None:
    life, job = life_with(keeps_ended=False), new_job()

    bring(life, job, SUCCEEDED)

    assert (life.jobs, life.running, life.ended) == ({}, {}, {})


@pytest.mark.parametrize("verb", ["succeed", "fail", "deadline", "cancel"])
def test_each_end_wakes_those_who_wait(verb: str) -> None:
    life, job = life_with(), new_job()
    bring(life, job, RUNNING)
    woken: list[bool] = []
    waiter = threading.Thread(target=lambda: woken.append(wait(job, life.lock, 10)))
    waiter.start()
    until(lambda: job.waiters, "the waiter")

    VERBS[verb](life, job)
    waiter.join(10)

    assert woken == [True]
    assert job.waiters is None


def test_a_rollback_wakes_those_who_wait() -> None:
    life, job = life_with(), new_job()
    bring(life, job, HELD)
    woken: list[bool] = []
    waiter = threading.Thread(target=lambda: woken.append(wait(job, life.lock, 10)))
    waiter.start()
    until(lambda: job.waiters, "the waiter")

    life.drop(job)
    waiter.join(10)

    assert woken == [True]


def test_one_who_gives_up_waiting_leaves_nothing_behind() -> None:
    life, job = life_with(), new_job()
    bring(life, job, RUNNING)

    assert not wait(job, life.lock, 0.01)

    assert job.waiters == {}


def test_one_more_worker_is_hired_only_while_more_is_ready_than_workers_are_free() -> None:
    life = life_with(worker_nums=2)
    life.threads = 0
    life.admit(new_job(1), READY)

    answers = [Crew(life).hire(), Crew(life).hire()]

    assert answers == [True, False]
    assert life.threads == 1


def test_a_picture_shows_one_moment() -> None:
    life, job = life_with(), new_job()
    bring(life, job, SUCCEEDED)

    info = draw(job, life.task, life.lock)

    assert (info.status, info.status_code, info.response, info.error, info.percent) == (
        "SUCCESS",
        3,
        "result",
        None,
        100,
    )
    assert info.ended_at is not None
    assert info.started_at is not None
    assert (info.ended_at - info.started_at).total_seconds() == pytest.approx(1.0)
    assert (info.started_at - info.added_at).total_seconds() == pytest.approx(1.0)
