"""`POST <task>/` and `POST <task>/<id>/cancel/`: who may, and what is refused. S4, S5, S6, S12."""

import time
from typing import Any

import pytest
from django.test import Client

from tests.api.conftest import EVERYTHING, address, one_with, post, sentence
from tests.conftest import SECONDS, Gate, Site
from tests.django.dashboard import added, client_of, user
from yao_tasks import job_url
from yao_tasks.api import bodies, rates
from yao_tasks.pools import Pool

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(site: Site) -> Pool:
    return site.task("job", lambda job_id, *args, **kwargs: [args, kwargs])


@pytest.fixture
def gate(site: Site) -> Gate:
    return site.gate()


def untouched(pool: Pool) -> bool:
    """Whether nobody has added anything."""
    return pool.metrics()["added"] == 0


# Adding


def test_an_operator_adds_a_job(pool: Pool) -> None:
    answer = post(one_with("operate_jobs"), "/tasks/job/", {"args": [1, "a"], "kwargs": {"b": [2]}})

    job_id = answer.json()["id"]
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/tasks/job/{job_id}/")
    assert pool.wait(job_id, SECONDS).response == [(1, "a"), {"b": [2]}]


def test_arguments_may_be_left_out(pool: Pool) -> None:
    job_id = post(one_with("operate_jobs"), "/tasks/job/").json()["id"]

    assert pool.wait(job_id, SECONDS).response == [(), {}]


@pytest.mark.parametrize(
    "who", [None, (), ("view_jobs",), ("view_job_args",), ("view_jobs", "view_job_args")]
)
@pytest.mark.parametrize("path", ["/tasks/job/", "/tasks/os.system/", "/tasks/job/1/cancel/"])
def test_nobody_else_may_write_whatever_there_is(pool: Pool, who: tuple[str, ...] | None, path: str) -> None:
    """S6: 403 before anything is looked up."""
    answer = post(Client() if who is None else one_with(*who), path)

    assert answer.status_code == 403
    assert sentence(answer) == "You may not add or cancel jobs."
    assert untouched(pool)


def test_who_is_not_active_may_nothing(pool: Pool) -> None:
    one = user("gone", *EVERYTHING)
    client = client_of(one)
    one.is_active = False
    one.save()

    assert post(client, "/tasks/job/").status_code == 403


@pytest.mark.parametrize("path", ["/tasks/job/", "/tasks/job/1/cancel/"])
def test_a_write_needs_a_csrf_token_and_a_post(pool: Pool, path: str) -> None:
    """S5."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user("operator", *EVERYTHING))
    client.cookies["csrftoken"] = token = "a" * 32

    without, got = post(client, path), client.get(path)
    good = post(client, path, headers={"x-csrftoken": token})

    assert (without.status_code, got.status_code) == (403, 405)
    assert sentence(without) == "The CSRF token is missing or wrong."
    assert good.status_code == (201 if path == "/tasks/job/" else 404)
    assert pool.metrics()["added"] == (path == "/tasks/job/")


def test_the_sites_own_csrf_middleware_leaves_the_answer_to_us(pool: Pool, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.csrf.CsrfViewMiddleware"]
    client = Client(enforce_csrf_checks=True)
    client.force_login(user("operator", *EVERYTHING))

    assert sentence(post(client, "/tasks/job/")) == "The CSRF token is missing or wrong."


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'"a"',
        b"null",
        b"\xff\xfe",
        b'{"args": {}}',
        b'{"kwargs": []}',
        b'{"args": [], "more": 1}',
        b'{"args": [NaN]}',
        b'{"args": [1e999]}',
        b'{"args": ' + b"[" * 60_000 + b"]" * 60_000 + b"}",
        b'{"args": [' + b"9" * 5_000 + b"]}",
    ],
    ids=lambda body: body[:20].decode(errors="replace"),
)
def test_what_is_no_call_is_400_and_adds_nothing(pool: Pool, body: bytes) -> None:
    answer = post(one_with("operate_jobs"), "/tasks/job/", body)

    assert answer.status_code == 400
    assert sentence(answer)
    assert untouched(pool)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/json5"])
def test_another_content_type_is_400(pool: Pool, kind: str) -> None:
    answer = one_with("operate_jobs").post("/tasks/job/", b"{}", content_type=kind)

    assert answer.status_code == 400
    assert "application/json" in sentence(answer)
    assert untouched(pool)


@pytest.mark.parametrize("path", ["/tasks/job/", "/tasks/job/1/cancel/"])
def test_ten_megabytes_are_413(pool: Pool, path: str) -> None:
    answer = post(one_with("operate_jobs"), path, b" " * 10_000_000)

    assert answer.status_code == 413
    assert sentence(answer)


def test_a_body_that_lies_about_its_length_is_413_too(pool: Pool) -> None:
    body = b'{"args": ["' + b"a" * bodies.LONGEST + b'"]}'

    answer = post(one_with("operate_jobs"), "/tasks/job/", body, CONTENT_LENGTH="20")
    odd = post(one_with("operate_jobs"), "/tasks/job/", b"{}", CONTENT_LENGTH="2x")

    assert answer.status_code in (400, 413)
    assert odd.status_code == 413
    assert untouched(pool)


def test_no_such_task_is_404(pool: Pool) -> None:
    """S11."""
    answer = post(one_with("operate_jobs"), "/tasks/os.system/", {"args": ["true"]})

    assert answer.status_code == 404
    assert "os.system" not in sentence(answer)


def test_a_task_at_fault_is_404(site: Site) -> None:
    site.task("job", lambda job_id: None, process="nowhere.at_all")

    assert "at fault" in sentence(post(one_with("operate_jobs"), "/tasks/job/"))


def test_a_full_queue_is_429(site: Site, gate: Gate) -> None:
    pool = site.task("job", gate, worker_nums=1, size=1)
    client = one_with("operate_jobs")
    codes = [post(client, "/tasks/job/").status_code for _ in range(2)]
    answer = post(client, "/tasks/job/")

    assert codes == [201, 201]
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert "full" in sentence(answer)
    assert pool.metrics()["refused"] == 1


def test_an_equal_job_is_409(site: Site, gate: Gate) -> None:
    site.task("job", gate, unique=True)
    client = one_with("operate_jobs")
    first = post(client, "/tasks/job/", {"args": [1]}).json()["id"]

    answer = post(client, "/tasks/job/", {"args": [1]})

    assert answer.status_code == 409
    assert str(first) in sentence(answer)


@pytest.mark.django_db(transaction=True)
def test_arguments_that_no_row_can_hold_are_400(site: Site) -> None:
    pool = site.task("job", lambda job_id, *args: None, record=True)

    answer = post(one_with("operate_jobs"), "/tasks/job/", {"args": ["\0"]})

    assert answer.status_code == 400
    assert "Argument 1" in sentence(answer)
    assert untouched(pool)


def test_an_event_that_fails_to_make_an_id_is_500_and_tells_nothing(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> int:
        raise OSError("the sequence at db.internal")

    site.task("job", lambda job_id: None, event={"next": fail})

    answer = post(one_with("operate_jobs"), "/tasks/job/")

    assert answer.status_code == 500
    assert "internal" not in sentence(answer)
    assert "db.internal" in caplog.text


def test_a_user_has_so_many_adds_a_minute_and_others_have_theirs(
    pool: Pool, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S12."""
    settings.YAO_TASKS = {**settings.YAO_TASKS, "USER_RATE": 3}
    flood = client_of(user("flood", "operate_jobs"))
    answers = [post(flood, "/tasks/job/") for _ in range(12)]
    other = post(client_of(user("other", "operate_jobs")), "/tasks/job/")

    assert [answer.status_code for answer in answers] == [201] * 3 + [429] * 9
    assert 58 <= int(answers[-1].headers["Retry-After"]) <= 61
    assert "3 jobs a minute" in sentence(answers[-1])
    began = time.monotonic()
    assert pool.wait(other.json()["id"], SECONDS).status == "SUCCESS"
    assert time.monotonic() - began < 2
    now = time.monotonic()
    monkeypatch.setattr(rates.time, "monotonic", lambda: now + 61)
    assert post(flood, "/tasks/job/").status_code == 201


def test_users_who_are_quiet_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(rates.time, "monotonic", lambda: now)
    for number in range(rates.REMEMBERED + 1):
        rates.count_add(str(number))
    now += 61
    rates.count_add("late")

    assert list(rates._adds) == ["late"]


# Cancelling


def test_an_operator_cancels_a_job(site: Site, gate: Gate) -> None:
    pool = site.task("job", gate)
    job_id = added(pool)
    client = one_with("operate_jobs")

    first, second = (post(client, address(pool, job_id, "cancel/")) for _ in range(2))

    assert first.json() == {"id": job_id, "cancelled": True, "status": "FAILURE"}
    assert second.json() == {"id": job_id, "cancelled": False, "status": "FAILURE"}
    assert pool.get(job_id).error.kind == "cancelled"  # type: ignore[union-attr]


def test_a_link_cancels_nothing(site: Site, gate: Gate) -> None:
    """S4."""
    pool = site.task("job", gate)
    job_id = added(pool)
    link = job_url("job", job_id).partition("?")[2]

    for client in (Client(), one_with("view_jobs", "view_job_args")):
        answer = post(client, f"{address(pool, job_id, 'cancel/')}?{link}")
        assert answer.status_code == 403
    assert not pool.get(job_id).is_finished


@pytest.mark.parametrize("path", ["/tasks/job/1/cancel/", "/tasks/os.system/1/cancel/"])
def test_what_is_not_there_cannot_be_cancelled(pool: Pool, path: str) -> None:
    assert post(one_with("operate_jobs"), path).status_code == 404


@pytest.mark.parametrize("method", ["get", "head", "put", "options"])
@pytest.mark.parametrize("path", ["/tasks/job/", "/tasks/job/1/cancel/"])
def test_only_a_post_writes(pool: Pool, path: str, method: str) -> None:
    answer = getattr(one_with(*EVERYTHING), method)(path)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
