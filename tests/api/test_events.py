"""`GET <task>/<id>/events/` under ASGI: what comes, when it ends, and what it holds meanwhile."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.test import Client
from django.utils import translation

from tests.api.conftest import sentence
from tests.api.streams import Stream
from tests.conftest import SECONDS, Gate, Site, until
from yao_tasks import current_job, job_url
from yao_tasks.api import events, feeds, finding, frames, places
from yao_tasks.core.errors import JobNotFound
from yao_tasks.pools import Pool

pytestmark = pytest.mark.django_db(transaction=True)


class Steps:
    """A handler that reports a step whenever the test says so, and ends with "end"."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.steps: list[int] = []
        self.go = threading.Semaphore(0)

    def __call__(self, job_id: int, total: int) -> str:
        job = current_job()
        assert job is not None
        for step in range(total):
            job.progress(step, total, f"step {step}")
            assert self.go.acquire(timeout=SECONDS)
        return "end"


@pytest.fixture
def steps(site: Site) -> Steps:
    return Steps(site.gate())


@pytest.fixture
def pool(site: Site, steps: Steps) -> Pool:
    return site.task("job", steps)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(feeds, "LOOK", 0.01)
    monkeypatch.setattr(feeds, "LOOK_AT_ROWS", 0.01)
    yield
    assert places.count() == 0
    assert feeds._feeds == {}


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run it in a loop of its own."""
    asyncio.run(test())  # type: ignore[arg-type]


def stream_url(pool: Pool, job_id: int) -> str:
    return job_url(pool.id, job_id).replace("/?", "/events/?")


def has_message(stream: Stream, text: str) -> Callable[[], bool]:
    return lambda: any(event.job["message"] == text for event in stream.events)


def test_a_stream_tells_each_step_and_ends_with_the_job(pool: Pool, steps: Steps) -> None:
    job_id = pool.add(2)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            for step in range(2):
                await stream.until(has_message(stream, f"step {step}"))
                steps.go.release()
            told = await stream.end()
        assert [event.name for event in told] == ["progress", "progress", "success"]
        assert told[-1].job["response"] == "end"
        assert told[-1].job.keys() == {
            "id", "status", "current", "total", "message", "response", "elapsed", "eta",
        }  # fmt: skip
        assert stream.answer["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.answer["x-accel-buffering"] == "no"
        assert stream.answer["cache-control"] == "no-store, no-transform, private"
        assert stream.answer["referrer-policy"] == "no-referrer"
        assert stream.body.startswith(b"retry: ")

    run(follow)


def test_a_job_that_ended_before_is_told_at_once(pool: Pool, steps: Steps) -> None:
    steps.go.release()
    job_id = pool.add(1)
    pool.wait(job_id, SECONDS)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            assert [event.name for event in await stream.end()] == ["success"]

    run(follow)


def test_a_failure_is_told_as_one(pool: Pool, steps: Steps) -> None:
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            await stream.until(has_message(stream, "step 0"))
            pool.cancel(job_id)
            told = await stream.end()
        steps.go.release()
        assert (told[-1].name, told[-1].job["response"]) == ("failure", "This was cancelled.")

    run(follow)


def test_whoever_comes_back_is_told_only_what_is_new(pool: Pool, steps: Steps) -> None:
    job_id = pool.add(2)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            await stream.until(has_message(stream, "step 0"))
            last = stream.events[-1].id
        async with Stream(stream_url(pool, job_id), {"last-event-id": last}) as stream:
            await stream.until(lambda: b"ping" in stream.body)
            steps.go.release()
            await stream.until(has_message(stream, "step 1"))
            assert [event.job["message"] for event in stream.events] == ["step 1"]
            steps.go.release()
            (_, end) = await stream.end()
        async with Stream(stream_url(pool, job_id), {"last-event-id": end.id}) as stream:
            await stream.end()
            assert (stream.status, stream.body) == (204, b"")

    run(follow)


@pytest.mark.parametrize("last", ["of another job", "x" * 10_000, "\x00", "1"])
def test_a_foreign_last_event_id_changes_nothing(pool: Pool, steps: Steps, last: str) -> None:
    steps.go.release()
    job_id = pool.add(1)
    pool.wait(job_id, SECONDS)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id), {"last-event-id": last}) as stream:
            assert [event.name for event in await stream.end()] == ["success"]

    run(follow)


def test_a_recorded_job_is_followed_by_its_row(site: Site, steps: Steps) -> None:
    pool = site.task("job", steps, record=True)
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            await stream.until(has_message(stream, "step 0"))
            steps.go.release()
            assert (await stream.end())[-1].name == "success"

    run(follow)


def test_a_stream_keeps_no_thread_of_its_request(pool: Pool, steps: Steps) -> None:
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as first:
            await first.until(has_message(first, "step 0"))
            before = threading.active_count()
            others = [Stream(stream_url(pool, job_id)) for _ in range(20)]
            for other in others:
                await other.__aenter__()
            for other in others:
                await other.until(has_message(other, "step 0"))
            await asyncio.to_thread(until, lambda: threading.active_count() <= before + 2, "threads to end")
            assert places.count() == 21
            assert len(feeds._feeds) == 1
            steps.go.release()
            for stream in (first, *others):
                assert (await stream.end())[-1].name == "success"
            for other in others:
                await other.__aexit__()

    run(follow)


def test_those_who_stay_need_nothing_of_who_came_first(site: Site, steps: Steps) -> None:
    pool = site.task("job", steps, record=True)
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as second:
            async with Stream(stream_url(pool, job_id)) as first:
                for stream in (first, second):
                    await stream.until(has_message(stream, "step 0"))
            looks, look = [], Pool.get
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Pool, "get", lambda self, job_id: looks.append(1) or look(self, job_id))
                await second.until(lambda: len(looks) > 2)
            assert len(SyncToAsync.context_to_thread_executor) == 0
            steps.go.release()
            assert (await second.end())[-1].name == "success"

    run(follow)


def test_each_stream_speaks_its_readers_language(pool: Pool, steps: Steps) -> None:
    job_id = pool.add(1)

    async def follow() -> None:
        chinese = {"accept-language": "zh-hans"}
        async with (
            Stream(stream_url(pool, job_id), chinese) as one,
            Stream(stream_url(pool, job_id)) as other,
        ):
            for stream in (one, other):
                await stream.until(has_message(stream, "step 0"))
            pool.cancel(job_id)
            told = [(await stream.end())[-1].job["response"] for stream in (one, other)]
        assert told == ["已被取消。", "This was cancelled."]

    run(follow)
    steps.go.release()


def test_whoever_goes_away_leaves_nothing_behind(pool: Pool, steps: Steps) -> None:
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            await stream.until(has_message(stream, "step 0"))
        assert places.count() == 0
        assert feeds._feeds == {}

    run(follow)
    steps.go.release()


def test_a_stream_says_that_it_is_there(pool: Pool, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "HEARTBEAT", 0.02)
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            await stream.until(lambda: stream.body.count(b"ping") > 3)
            assert len(stream.events) == 1

    run(follow)
    steps.go.release()


def test_a_stream_ends_when_its_server_is_about_to(
    pool: Pool, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            await stream.until(has_message(stream, "step 0"))
            monkeypatch.setattr("yao_tasks.servers.is_leaving", lambda: True)
            assert [event.name for event in await stream.end()] == ["progress"]

    run(follow)
    steps.go.release()


def test_a_stream_ends_after_a_while(pool: Pool, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LONGEST", 0.05)
    monkeypatch.setattr(frames, "HEARTBEAT", 0.02)
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            assert [event.name for event in await stream.end()] == ["progress"]

    run(follow)
    steps.go.release()


def test_a_job_that_is_forgotten_ends_its_stream(
    pool: Pool, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            await stream.until(has_message(stream, "step 0"))
            monkeypatch.setattr("yao_tasks.engines.parts.Parts.find", _not_found)
            await stream.end()

    run(follow)
    monkeypatch.undo()
    steps.go.release()


def _not_found(self: Any, job_id: int) -> Any:
    raise JobNotFound("gone")


def test_a_fault_of_the_database_ends_the_streams_with_one_line(
    pool: Pool, steps: Steps, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = pool.add(1)

    async def aget(self: Any, job_id: int) -> Any:
        raise OSError("the database is away")

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as one, Stream(stream_url(pool, job_id)) as other:
            for stream in (one, other):
                await stream.until(has_message(stream, "step 0"))
            monkeypatch.setattr(Pool, "aget", aget)
            for stream in (one, other):
                await stream.end()

    run(follow)
    steps.go.release()
    assert caplog.text.count("the streams of job") == 1


def test_more_streams_than_a_process_takes_are_429(
    pool: Pool, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S13."""
    monkeypatch.setattr(places, "MOST", 1)
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as first:
            await first.until(has_message(first, "step 0"))
            async with Stream(stream_url(pool, job_id)) as second:
                await second.end()
                assert (second.status, second.answer["retry-after"]) == (429, "10")
        async with Stream(stream_url(pool, job_id)) as third:
            await third.until(has_message(third, "step 0"))

    run(follow)
    steps.go.release()


def test_a_stream_that_never_began_gives_its_place_back(pool: Pool) -> None:
    place = places.take("one", {}, threaded=False)
    stream = events._stream(pool, None, None, "", place)  # type: ignore[arg-type]
    assert places.count() == 1
    del place, stream

    assert places.count() == 0


def test_who_may_not_see_the_job_has_no_stream(pool: Pool, steps: Steps) -> None:
    steps.go.release()
    job_id = pool.add(1)
    bodies = set()

    async def ask(url: str) -> None:
        async with Stream(url) as stream:
            await stream.end()
            assert stream.status == 404
            bodies.add(stream.body)

    for url in (
        f"/tasks/job/{job_id}/events/",
        f"/tasks/job/{job_id + 99}/events/",
        "/tasks/os.system/1/events/",
    ):
        run(lambda url=url: ask(url))  # type: ignore[misc]
    assert len(bodies) == 1


def test_a_job_that_is_known_soon_is_waited_for(
    pool: Pool, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "PATIENCE", 5.0)
    steps.go.release()
    job_id = pool.add(1)
    pool.wait(job_id, SECONDS)
    looks = iter([None, None])
    look = finding._look
    monkeypatch.setattr(finding, "_look", lambda *args: next(looks, look(*args)))

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id)) as stream:
            assert [event.name for event in await stream.end()] == ["success"]

    run(follow)


def test_head_opens_no_stream(pool: Pool, steps: Steps) -> None:
    job_id = pool.add(1)

    async def follow() -> None:
        async with Stream(stream_url(pool, job_id), method="HEAD") as stream:
            await stream.end()
            assert (stream.status, stream.body) == (200, b"")
            assert stream.answer["content-type"].startswith("text/event-stream")

    run(follow)
    steps.go.release()


def test_streams_can_be_switched_off(pool: Pool, steps: Steps, settings: Any) -> None:
    settings.YAO_TASKS = {**settings.YAO_TASKS, "STREAMS": False}
    url = stream_url(pool, 1)

    async def follow() -> None:
        async with Stream(url) as stream:
            await stream.end()
            assert stream.status == 404
            assert b"no event streams" in stream.body

    run(follow)


# WSGI


def test_under_wsgi_there_are_none_unless_they_are_switched_on(pool: Pool, steps: Steps) -> None:
    answer = Client().get(stream_url(pool, pool.add(1)))
    steps.go.release()

    assert answer.status_code == 404
    assert "no event streams" in sentence(answer)


@pytest.fixture
def threaded(site: Site, settings: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Streams are on; answers what a server with eight threads says of itself."""
    settings.YAO_TASKS = {**settings.YAO_TASKS, "STREAMS": True}
    monkeypatch.setattr("yao_tasks.servers.UNKNOWN_THREADS", 8)
    monkeypatch.setattr(events, "LOOK", 0.01)
    return {"wsgi.multithread": True}


def test_under_wsgi_a_stream_tells_the_same(site: Site, steps: Steps, threaded: dict[str, Any]) -> None:
    pool = site.task("job", steps)
    job_id = pool.add(1)
    steps.go.release()

    answer = Client().get(stream_url(pool, job_id), **threaded)
    body = b"".join(answer.streaming_content)

    assert b"event: success" in body
    assert answer.headers["Content-Encoding"] == "identity"


def test_under_wsgi_a_stream_keeps_the_language_it_was_asked_in(
    site: Site, steps: Steps, threaded: dict[str, Any]
) -> None:
    pool = site.task("job", steps)
    job_id = pool.add(1)
    pool.cancel(job_id)

    answer = Client().get(stream_url(pool, job_id), headers={"accept-language": "zh-hans"}, **threaded)
    translation.deactivate_all()
    body = b"".join(answer.streaming_content)
    steps.go.release()

    assert json.dumps("已被取消。").encode() in body


def test_under_wsgi_the_caps_hold(site: Site, steps: Steps, threaded: dict[str, Any]) -> None:
    """S13: three streams of a reader, and no more than half of the threads."""
    pool = site.task("job", steps)
    ids = [pool.add(1), pool.add(1)]
    opened = [Client().get(stream_url(pool, ids[0]), **threaded) for _ in range(3)]
    fourth = Client().get(stream_url(pool, ids[0]), **threaded)
    other = Client().get(stream_url(pool, ids[1]), **threaded)
    fifth = Client().get(stream_url(pool, ids[1]), **threaded)

    assert [one.status_code for one in (*opened, fourth, other, fifth)] == [200, 200, 200, 429, 200, 429]
    assert fourth.headers["Retry-After"] == "10"
    for one in (*opened, other):
        one.close()
    del opened, other, one
    assert places.count() == 0
    for _ in range(2):
        steps.go.release()


def test_under_wsgi_a_stream_ends_after_a_while_or_with_its_server(
    site: Site, steps: Steps, threaded: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = site.task("job", steps)
    job_id = pool.add(1)
    with monkeypatch.context() as patch:
        patch.setattr(events, "LONGEST_IN_THREAD", 0.05)
        first = b"".join(Client().get(stream_url(pool, job_id), **threaded).streaming_content)
    monkeypatch.setattr("yao_tasks.servers.is_leaving", lambda: True)
    second = b"".join(Client().get(stream_url(pool, job_id), **threaded).streaming_content)
    steps.go.release()

    assert first.count(b"event: progress") == second.count(b"event: progress") == 1
    assert b"event: failure" not in first + second


def test_under_wsgi_one_thread_is_too_few(site: Site, steps: Steps, threaded: dict[str, Any]) -> None:
    pool = site.task("job", steps)

    answer = Client().get(stream_url(pool, pool.add(1)), **{"wsgi.multithread": False})
    steps.go.release()

    assert answer.status_code == 429
