"""API: jobs that fit a query, live and remembered."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Gate, Site, until
from yao_tasks import GiveUp
from yao_tasks.pools import Pool

# A timeout isn't, so that there is one.
RETRIED = {"attempts": 1, "attempt_after": 60_000, "give_up_on": ["yao_tasks.errors.JobTimeout"]}


class Crowd:
    """A pool with a job in each state there is, by name."""

    def __init__(self, site: Site, task: MakeTask) -> None:
        self.gate: Gate = site.gate()
        self.pool: Pool = task(self._work, worker_nums=2, **RETRIED)
        pool = self.pool
        self.ids = {"success": pool.add("success"), "failure": pool.add("failure", "Straße 1")}
        pool.wait(self.ids["success"], SECONDS)
        pool.wait(self.ids["failure"], SECONDS)
        self.ids["retrying"] = pool.add("retrying")
        until(lambda: pool.get(self.ids["retrying"]).due_at, "the failed run")
        self.ids["times out"] = pool.using(timeout=0.05).add("times out")
        pool.wait(self.ids["times out"], SECONDS)
        self.ids["running"] = pool.add("running")
        self.gate.entered(2)
        self.ids["delayed"] = pool.using(run_after=60).add("delayed")
        self.ids["running too"] = pool.add("running too")
        self.ids["ready"] = pool.add("ready", key="Ünïcode")
        self.ids["cancelled"] = pool.add("cancelled")
        pool.cancel(self.ids["cancelled"])
        pool.progress(self.ids["running"], 1, 2, "Half of It")

    def names(self, **query: Any) -> list[str]:
        names = {job_id: name for name, job_id in self.ids.items()}
        return [names[info.id] for info in self.pool.search(**query)]

    def _work(self, job_id: int, name: str, *args: object, **kwargs: object) -> str:
        if name == "failure":
            raise GiveUp("the disk is full")
        if name == "retrying":
            raise ValueError
        if name != "success":
            self.gate(job_id)
        return name


@pytest.fixture
def crowd(site: Site, task: MakeTask) -> Crowd:
    return Crowd(site, task)


LIVE = {"retrying", "running", "delayed", "running too", "ready"}
ENDED = {"success", "failure", "times out", "cancelled"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, LIVE | ENDED),
        ({"status": "SUCCESS"}, {"success"}),
        ({"status": "FAILURE"}, {"failure", "times out", "cancelled"}),
        ({"kind": "raised"}, {"failure"}),
        ({"kind": "timeout"}, {"times out"}),
        ({"kind": "cancelled"}, {"cancelled"}),
        ({"kind": "lost"}, set()),
        ({"phase": "delayed"}, {"delayed"}),
        ({"phase": "retrying"}, {"retrying"}),
        ({"text": "disk is FULL"}, {"failure"}),
        ({"text": "half of it"}, {"running"}),
        ({"text": "GiveUp"}, {"failure"}),
        ({"text": "strasse"}, {"failure"}),
        ({"text": "ünïCODE"}, {"ready"}),
        ({"text": "running"}, {"running", "running too"}),
        ({"text": "nowhere to be found"}, set()),
        ({"status": "FAILURE", "text": "out"}, {"times out"}),
        ({"status": "SUCCESS", "kind": "raised"}, set()),
        ({"status": "RUNNING", "phase": "ready"}, set()),
    ],
    ids=repr,
)
def test_what_fits_is_found(crowd: Crowd, query: dict[str, Any], names: set[str]) -> None:
    assert set(crowd.names(**query)) == names


def test_those_that_wait_and_run_are_told_apart(crowd: Crowd) -> None:
    def told() -> tuple[set[str], set[str]]:
        return set(crowd.names(status="WAITING")), set(crowd.names(status="RUNNING"))

    # One may start between the two questions.
    until(lambda: set.union(*told()) == LIVE, "all of them")
    waiting, running = told()

    # One of the two threads was given up: it counts in `stuck`, and is replaced.
    assert waiting | running == LIVE
    assert {"retrying", "delayed", "ready"} <= waiting
    assert {"running"} <= running
    assert set(crowd.names(phase="ready")) == waiting - {"retrying", "delayed"}


def test_a_part_of_the_id_is_a_text(crowd: Crowd) -> None:
    job_id = crowd.ids["success"]

    assert "success" in crowd.names(text=str(job_id)[-6:])
    assert crowd.names(text=str(job_id)) == ["success"]


def test_the_newest_come_first_unless_one_says_otherwise(crowd: Crowd) -> None:
    in_order = list(crowd.ids)

    assert crowd.names() == crowd.names(order="-added_at") == in_order[::-1]
    assert crowd.names(order="added_at") == in_order
    assert crowd.names(order="ended_at", status="FAILURE") == ["failure", "times out", "cancelled"]
    assert crowd.names(order="-ended_at", status="FAILURE") == ["cancelled", "times out", "failure"]


def test_a_page_is_cut_out_of_the_order(crowd: Crowd) -> None:
    in_order = list(crowd.ids)

    assert crowd.names(order="added_at", limit=2) == in_order[:2]
    assert crowd.names(order="added_at", offset=2, limit=3) == in_order[2:5]
    assert crowd.names(offset=100) == []
    assert crowd.names(limit=0) == []


def test_since_and_until_bound_the_moment_of_the_add(task: MakeTask) -> None:
    pool = task(lambda job_id: None)
    first = pool.add()
    time.sleep(0.01)
    middle = datetime.now(UTC)
    time.sleep(0.01)
    second = pool.add()

    assert [info.id for info in pool.search(since=middle)] == [second]
    assert [info.id for info in pool.search(until=middle)] == [first]
    assert pool.search(since=middle, until=middle) == []
    assert pool.search(since=middle + timedelta(days=1)) == []
    assert len(pool.search(since=middle - timedelta(1), until=middle + timedelta(1))) == 2


def test_what_it_answers_are_pictures(crowd: Crowd) -> None:
    [info] = crowd.pool.search(status="SUCCESS")

    assert info == crowd.pool.get(crowd.ids["success"])


def test_a_hundred_are_answered_by_default(task: MakeTask) -> None:
    pool = task(lambda job_id: None, size=1_000)
    pool.pause()
    pool.add_many([()] * 150)

    assert len(pool.search()) == 100
    assert len(pool.search(limit=1_000)) == 150


def test_what_is_forgotten_is_not_found(task: MakeTask) -> None:
    pool = task(lambda job_id: None, retention=0.01)
    pool.wait(pool.add(), SECONDS)

    until(lambda: not pool.search(), "it to be forgotten")


@pytest.mark.kinds("thread")  # other kinds refuse such arguments
def test_arguments_that_are_no_json_are_searched_as_they_show(task: MakeTask) -> None:
    pool = task(lambda job_id, *args: None)
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    pool.pause()
    when = pool.add(datetime(2026, 1, 2, tzinfo=UTC), {1: {2}})
    pool.add(cyclic)

    assert [info.id for info in pool.search(text="2026-01-02")] == [when]


# Bad input


@pytest.mark.parametrize(
    ("query", "error_type", "text"),
    [
        ({"status": "WAITNG"}, ValueError, "search(status='WAITNG'): there is no such status. Did you mean"),
        ({"status": "done"}, ValueError, "search(status='done'): there is no such status."),
        ({"status": 3}, ValueError, "search(status=3): there is no such status."),
        ({"status": ["WAITING"]}, ValueError, "search(status=['WAITING']): there is no such status."),
        ({"kind": "cancel"}, ValueError, "search(kind='cancel'): there is no such kind. Did you mean"),
        ({"phase": "redy"}, ValueError, "search(phase='redy'): there is no such phase. Did you mean"),
        ({"phase": 1}, ValueError, "search(phase=1): there is no such phase."),
        ({"order": "added"}, ValueError, "search(order='added'): there is no such order. Did you mean"),
        ({"order": "-id"}, ValueError, "search(order='-id'): there is no such order."),
        ({"order": "__class__"}, ValueError, "search(order='__class__'): there is no such order."),
        ({"order": None}, ValueError, "search(order=None): there is no such order."),
        ({"text": 12}, TypeError, "search(text=12): give a text."),
        ({"since": datetime(2026, 1, 1)}, TypeError, "search(since=datetime.datetime(2026, 1, 1, 0, 0)): "),
        ({"until": "today"}, TypeError, "search(until='today'): give an aware datetime."),
        ({"limit": -1}, ValueError, "search(limit=-1): give a whole number, 0 or more."),
        ({"offset": 1.5}, ValueError, "search(offset=1.5): give a whole number, 0 or more."),
        ({"limit": None}, ValueError, "search(limit=None): give a whole number, 0 or more."),
    ],
    ids=repr,
)
def test_a_query_is_checked(
    task: MakeTask, query: dict[str, Any], error_type: type[Exception], text: str
) -> None:
    pool = task(lambda job_id: None)

    with pytest.raises(error_type) as error:
        pool.search(**query)

    assert str(error.value).startswith(text)
