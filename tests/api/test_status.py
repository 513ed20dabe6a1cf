"""`GET <task>/<id>/`: who sees what of a job."""

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.api.conftest import EVERYTHING, address, one_with, sentence
from tests.conftest import SECONDS, Site, until
from tests.django.dashboard import PAYLOAD, added
from tests.million import long_history
from yao_tasks import GiveUp, current_job, job_url
from yao_tasks.api import finding
from yao_tasks.core.errors import JobElsewhere
from yao_tasks.core.jobs import JobInfo
from yao_tasks.engines.looking import Looking
from yao_tasks.process import FIELDS

pytestmark = pytest.mark.django_db
LINK_FIELDS = {*FIELDS, "elapsed", "eta"}


def ended(site: Site, handler: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[str, int]:
    """The task and the id of a job that has ended."""
    pool = site.task("job", handler)
    job_id = added(pool, *args, **kwargs)
    pool.wait(job_id, SECONDS)
    return pool.id, job_id


def test_a_link_shows_the_six_fields_and_the_time(site: Site) -> None:
    answer = Client().get(job_url(*ended(site, lambda job_id, a: {"sum": a + 1}, 1))).json()

    assert answer.keys() == LINK_FIELDS
    assert (answer["status"], answer["response"]) == ("SUCCESS", {"sum": 2})


def test_a_running_job_tells_how_far_it_is_and_how_long_it_will_take(site: Site) -> None:
    gate = site.gate()

    def work(job_id: int) -> None:
        job = current_job()
        assert job is not None
        job.progress(1, 4, "a quarter")
        gate(job_id)

    pool = site.task("job", work)
    job_id = added(pool)
    gate.entered()
    answer = Client().get(job_url("job", job_id)).json()

    assert [answer[name] for name in ("status", "current", "total", "message")] == [
        "RUNNING",
        1,
        4,
        "a quarter",
    ]
    assert answer["eta"] == pytest.approx(3 * answer["elapsed"])


@pytest.mark.django_db(transaction=True)
def test_a_live_job_costs_no_query(site: Site, django_assert_num_queries: Any) -> None:
    gate = site.gate()
    pool = site.task("job", gate, record=True)
    job_id = added(pool)
    gate.entered()
    url = job_url("job", job_id)

    with django_assert_num_queries(0):
        assert Client().get(url).json()["status"] == "RUNNING"


@pytest.mark.parametrize(
    ("permissions", "seen"),
    [
        (("view_jobs",), set()),
        (("view_jobs", "operate_jobs"), {"traceback"}),
        (("view_jobs", "view_job_args"), {"args", "kwargs"}),
        (EVERYTHING, {"traceback", "args", "kwargs"}),
    ],
)
def test_each_permission_shows_its_part(site: Site, permissions: tuple[str, ...], seen: set[str]) -> None:
    def fail(job_id: int, what: str) -> None:
        raise ValueError(f"no {what}")

    task, job_id = ended(site, fail, "bread")

    answer = one_with(*permissions).get(f"/tasks/{task}/{job_id}/").json()

    assert {name for name in ("args", "kwargs") if name in answer} | (
        set(answer["error"]) & {"traceback"}
    ) == seen
    assert (answer["response"], answer["error"]["type"], answer["task"]) == ("no bread", "ValueError", "job")


def test_a_result_is_for_those_who_may_see_arguments(site: Site) -> None:
    task, job_id = ended(site, lambda job_id: {"secret_key": "xyz", "n": 1})
    responses = [
        one_with(*permissions).get(f"/tasks/{task}/{job_id}/").json()["response"]
        for permissions in (("view_jobs",), ("view_jobs", "view_job_args"))
    ]

    assert responses == [None, {"secret_key": "••••••", "n": 1}]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (GiveUp("row 17: no date"), "row 17: no date"),
        (ConnectionError("smtp.internal:587 refused admin"), "This could not be done."),
    ],
)
def test_with_a_link_a_failure_is_what_the_handler_tells_or_nothing(
    site: Site, error: Exception, told: str
) -> None:
    def fail(job_id: int) -> None:
        raise error

    answer = Client().get(job_url(*ended(site, fail))).json()

    assert (answer["status"], answer["response"]) == ("FAILURE", told)


def test_a_cancelled_job_says_so(site: Site) -> None:
    pool = site.task("job", site.gate())
    job_id = added(pool)
    pool.cancel(job_id)

    assert Client().get(job_url("job", job_id)).json()["response"] == "This was cancelled."


def test_an_argument_called_secret_is_in_no_answer(site: Site) -> None:
    """S2."""

    def fail(job_id: int, password: str) -> None:
        job = current_job()
        assert job is not None
        job.progress(0, 1, f"logging in with {password}")
        raise GiveUp(f"{password} was refused")

    task, job_id = ended(site, fail, "hunter2-9f3")
    link = Client().get(job_url(task, job_id))
    staff = one_with(*EVERYTHING).get(f"/tasks/{task}/{job_id}/")

    assert b"hunter2" not in link.content + staff.content
    assert "logging in with" in link.json()["message"]
    assert staff.json()["args"] == ["••••••"]


def test_markup_is_text(site: Site) -> None:
    """S1."""
    answer = Client().get(job_url(*ended(site, lambda job_id: PAYLOAD)))

    assert answer.json()["response"] == PAYLOAD
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (float("nan"), None),
        (10**5000, None),
        ({"at": object()}, {"at": None}),
        (("a", 1), ["a", 1]),
        ("\ud800", "\ud800"),
    ],
    ids=["NaN", "digits", "object", "tuple", "surrogate"],
)
def test_what_json_has_not_got_breaks_nothing(site: Site, result: Any, shown: Any) -> None:
    task, job_id = ended(site, lambda job_id: result)

    assert Client().get(job_url(task, job_id)).json()["response"] == shown
    assert one_with(*EVERYTHING).get(f"/tasks/{task}/{job_id}/").status_code == 200


def test_a_result_that_holds_itself_twice_breaks_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yao_tasks.redaction.MOST_VALUES", 1_000)
    circle: list[Any] = []
    circle += [circle, circle]

    answer = Client().get(job_url(*ended(site, lambda job_id: circle)))

    assert answer.status_code == 200
    assert len(answer.content) < 10_000


def test_what_has_been_seen_is_not_sent_again(site: Site) -> None:
    url = job_url(*ended(site, lambda job_id: 1))
    first = Client().get(url)

    again = Client().get(url, headers={"if-none-match": first.headers["ETag"]})
    other = Client().get(url, headers={"if-none-match": 'W/"abc"'})

    assert (again.status_code, again.content) == (304, b"")
    assert (other.status_code, other.headers["ETag"]) == (200, first.headers["ETag"])


def test_a_job_that_runs_on_without_news_is_304(site: Site) -> None:
    gate = site.gate()
    pool = site.task("job", gate)
    job_id = added(pool)
    gate.entered()
    url = job_url("job", job_id)
    first = Client().get(url)
    until(lambda: Client().get(url).json()["elapsed"] > first.json()["elapsed"])

    assert Client().get(url, headers={"if-none-match": first.headers["ETag"]}).status_code == 304


# Not theirs


def strangers(pool: Any, job_id: int, other: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Addresses with which nobody may see the job."""
    now = time.time()
    path, good = address(pool, job_id), job_url(pool.id, job_id)
    signature = good.partition("link=")[2]
    with monkeypatch.context() as patch:
        patch.setattr("django.core.signing.time.time", lambda: now - 86_401)
        expired = job_url(pool.id, job_id)
    with monkeypatch.context() as patch:
        patch.setattr("yao_tasks.links.SALT", "another")
        salted = job_url(pool.id, job_id)
    return {
        "none": path,
        "expired": expired,
        "altered": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "of another job": job_url(pool.id, other).replace(str(other), str(job_id), 1),
        "other salt": salted,
        "doubled": f"{good}&link={signature}",
        "empty": f"{path}?link=",
        "long": f"{path}?link={'a' * 10_000}",
        "odd": f"{path}?link=%00%ff:::",
        "unknown job": address(pool, job_id + 10_000),
        "unknown task": f"/tasks/os.system/{job_id}/",
    }


def test_whatever_the_reason_the_answer_is_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """S4, S11."""
    pool = site.task("job", lambda job_id: 1)
    job_id, other = added(pool), added(pool)
    client = one_with("operate_jobs")

    answers = {name: client.get(url) for name, url in strangers(pool, job_id, other, monkeypatch).items()}
    answers["viewer"] = one_with("view_jobs").get(address(pool, job_id + 10_000))

    assert {answer.status_code for answer in answers.values()} == {404}
    assert len({answer.content for answer in answers.values()}) == 1
    assert len({str(sorted(answer.headers.items())) for answer in answers.values()}) == 1


def test_an_id_that_is_known_soon_is_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PATIENCE", 5.0)
    pool = site.task("job", lambda job_id: 1)
    job_id = added(pool)
    looks = iter([None, None])
    look = finding._look
    monkeypatch.setattr(finding, "_look", lambda *args: next(looks, look(*args)))

    assert Client().get(job_url("job", job_id)).json()["id"] == job_id


def test_no_such_job_and_not_yours_take_the_same_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """S4: whoever gets a 404 has waited as long, in the same steps."""
    pool = site.task("job", lambda job_id: 1)
    job_id = added(pool)
    viewer = one_with("view_jobs")
    waits: dict[str, list[float]] = {}
    for name, client, url in (
        ("not yours", Client(), address(pool, job_id)),
        ("no such job", Client(), address(pool, job_id + 10_000)),
        ("no such task", Client(), "/tasks/nothing/1/"),
        ("a bad link", Client(), f"{address(pool, job_id)}?link=a:b"),
        ("a good link, no such job", Client(), job_url("job", job_id + 10_000)),
        ("no such job, with the right", viewer, address(pool, job_id + 10_000)),
    ):
        now, taken = 0.0, waits.setdefault(name, [])

        def sleep(seconds: float, taken: list[float] = taken) -> None:
            nonlocal now
            now += seconds
            taken.append(round(seconds, 6))

        clock = SimpleNamespace(sleep=sleep, monotonic=lambda: now)  # noqa: B023
        monkeypatch.setattr(finding, "time", clock)
        monkeypatch.setattr(finding, "_hold_ups", finding.HoldUps(left=10.0, at=0.0))
        assert client.get(url).status_code == 404

    assert sum(waits["not yours"]) == pytest.approx(finding.PATIENCE)
    assert len({tuple(taken) for taken in waits.values()}) == 1


@pytest.mark.slow
def test_no_clock_tells_why_there_is_nothing_to_be_seen(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """S4, in real time, with as little waiting as there can be: what is computed would show."""
    monkeypatch.setattr(finding, "PATIENCE", 0.004)
    monkeypatch.setattr(finding, "_hold_ups", finding.HoldUps(left=float("inf"), at=0.0))
    monkeypatch.setattr(finding, "MOST_HELD_UP", float("inf"))
    pool = site.task("job", lambda job_id: 1)
    job_id, other = added(pool), added(pool)
    asked = strangers(pool, job_id, other, monkeypatch)
    del asked["long"]  # that one takes longer to be read
    client, times = Client(), {name: [] for name in asked}  # type: dict[str, list[float]]
    for _ in range(60):
        # By turns: whatever else the machine does, it does to all of them.
        for name, url in asked.items():
            began = time.perf_counter()
            assert client.get(url).status_code == 404
            times[name].append(time.perf_counter() - began)

    medians = {name: statistics.median(each) for name, each in times.items()}
    print({name: f"{median * 1e3:.2f} ms" for name, median in medians.items()})
    assert max(medians.values()) < 1.2 * min(medians.values())


def test_a_server_with_one_thread_is_held_up_for_a_while_only(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.task("job", lambda job_id: 1)
    monkeypatch.setattr(
        finding, "_hold_ups", finding.HoldUps(left=2.5 * finding.PATIENCE, at=time.monotonic())
    )

    took = []
    for _ in range(4):
        began = time.monotonic()
        assert Client().get("/tasks/job/1/").status_code == 404
        took.append(time.monotonic() - began >= finding.PATIENCE)

    assert took == [True, True, False, False]


def test_a_job_of_another_process_is_a_conflict(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(self: Any, job_id: int) -> JobInfo:
        raise JobElsewhere("Job 1 lives in process 4711.")

    pool = site.task("job", lambda job_id: 1)
    monkeypatch.setattr(Looking, "get", get)

    user, staff = Client().get(job_url("job", 1)), one_with("view_jobs").get(address(pool, 1))

    assert (user.status_code, staff.status_code) == (409, 409)
    assert "4711" not in sentence(user)
    assert "4711" in sentence(staff)


# Bad input


@pytest.mark.parametrize(
    "path",
    [
        "/tasks/",
        "/tasks/a/b/c/d/",
        "/tasks/../1/",
        "/tasks/a%00b/1/",
        f"/tasks/{'x' * 10_000}/1/",
        f"/tasks/job/{'9' * 5_000}/",
        "/tasks/job/1",
        "/tasks/job/-1/",
        "/tasks/job/%F0/",
        "/tasks/<script>/1/",
    ],
)
def test_an_odd_address_is_404_in_json_and_echoes_nothing(site: Site, path: str) -> None:
    site.task("job", lambda job_id: 1)

    answer = Client().get(path)

    assert answer.status_code == 404
    assert "script" not in sentence(answer)


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options", "trace"])
def test_other_methods_are_405_before_anything_is_looked_up(site: Site, method: str) -> None:
    answer = getattr(Client(), method)("/tasks/job/1/")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert "GET, HEAD" in sentence(answer)


def test_head_is_as_get_without_a_body(site: Site) -> None:
    answer = Client().head(job_url(*ended(site, lambda job_id: 1)))

    assert (answer.status_code, answer.content) == (200, b"")


def test_queries_mean_nothing(site: Site) -> None:
    """S15."""
    url = job_url(*ended(site, lambda job_id: 1))

    answer = Client().get(f"{url}&refresh=0.0001&page=-1&limit={10**9}&order=__class__")

    assert answer.json().keys() == LINK_FIELDS


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_hundred_thousand_rows_make_no_answer_slow(site: Site) -> None:
    """S15: 10 queries at most, and 300 ms, for what there is and for what there isn't."""
    pool = site.task("job", lambda job_id: 1, record=True)
    pool.wait(pool.add(), SECONDS)
    long_history("default", "job", 100_000)
    viewer, query = one_with("view_jobs"), f"?refresh=0.0001&page=-1&limit={10**9}&order=__class__"
    link = job_url("job", 77_777)
    seconds = []

    for client, url, status in (
        (viewer, address(pool, 77_777) + query, 200),
        (Client(), f"{link}&{query[1:]}", 200),
        (viewer, address(pool, 999_999) + query, 404),
        (viewer, f"/tasks/health/{query}", 200),
    ):
        with CaptureQueriesContext(connection) as asked:
            began = time.perf_counter()
            answer = client.get(url)
            seconds.append(time.perf_counter() - began)
        assert (answer.status_code, len(asked) <= 10) == (status, True), (url, len(asked))

    print([f"{one * 1e3:.1f} ms" for one in seconds])
    assert max(seconds) < 0.3


def test_a_chinese_reader_is_told_in_chinese(site: Site) -> None:
    def fail(job_id: int) -> None:
        raise OSError("no")

    url = job_url(*ended(site, fail))

    assert Client().get(url, headers={"accept-language": "zh-hans"}).json()["response"] == "未能完成。"


def test_a_link_ends_with_its_age(site: Site, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "LINK_AGE": 30}
    url = job_url(*ended(site, lambda job_id: 1))
    now = time.time()

    codes = []
    for seconds in (29, 32):
        monkeypatch.setattr("django.core.signing.time.time", lambda: now + seconds)  # noqa: B023
        codes.append(Client().get(url).status_code)

    assert codes == [200, 404]


def test_moments_are_iso_8601(site: Site) -> None:
    task, job_id = ended(site, lambda job_id: 1)
    answer = one_with("view_jobs").get(f"/tasks/{task}/{job_id}/").json()

    assert timezone.now() - timezone.datetime.fromisoformat(answer["ended_at"]) < timedelta(minutes=1)
