"""CARRY_CONTEXT, AROUND, and `current_job().track`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone, translation

from tests.conformance.conftest import MakeTask
from tests.conftest import SECONDS, Site, until
from yao_tasks import boot, checks, current_job
from yao_tasks.core.current import CurrentJob
from yao_tasks.errors import JobNotFound

tenant: ContextVar[str] = ContextVar("tenant")
entered: list[tuple[str, int]] = []


@contextmanager
def around(job: CurrentJob) -> Iterator[None]:
    entered.append(("in", job.id))
    try:
        yield
    finally:
        entered.append(("out", job.id))


@contextmanager
def refusing(job: CurrentJob) -> Iterator[None]:
    raise PermissionError("not this tenant")
    yield


@pytest.fixture
def configure(site: Site, settings: Any) -> Callable[..., None]:
    entered.clear()

    def set_(**keys: Any) -> None:
        settings.YAO_TASKS = {**settings.YAO_TASKS, **keys}

    return set_


def seen(job_id: int) -> tuple[str | None, str, str]:
    return translation.get_language(), timezone.get_current_timezone_name(), tenant.get("none")


@pytest.mark.kinds("thread")  # test_processes.py has the like
def test_what_carry_context_names_is_there_in_the_run_and_in_its_events(
    configure: Callable[..., None], task: MakeTask
) -> None:
    configure(CARRY_CONTEXT=["language", "timezone", f"{__name__}.tenant"])
    in_event: list[object] = []
    pool = task(seen, event={"success": lambda job_id, _: in_event.append(seen(job_id))})

    with translation.override("de"), timezone.override(ZoneInfo("Asia/Tokyo")):
        token = tenant.set("ada")
        job_id = pool.add()
        tenant.reset(token)

    assert pool.wait(job_id, SECONDS).response == ("de", "Asia/Tokyo", "ada")
    pool.close()
    assert in_event == [("de", "Asia/Tokyo", "ada")]


@pytest.mark.kinds("thread")  # test_processes.py has the like
def test_what_it_does_not_name_is_not_carried_and_nothing_stays_for_the_next_job(
    configure: Callable[..., None], task: MakeTask
) -> None:
    configure(CARRY_CONTEXT=["language"])
    pool = task(seen, worker_nums=1)
    with translation.override("de"), timezone.override(ZoneInfo("Asia/Tokyo")):
        first = pool.add()
    second = pool.add()

    answers = [pool.wait(job_id, SECONDS).response for job_id in (first, second)]

    language, zone = translation.get_language(), timezone.get_default_timezone_name()
    assert answers == [("de", zone, "none"), (language, zone, "none")]


@pytest.mark.kinds("thread")  # test_processes.py has the like
def test_around_is_entered_around_each_run(configure: Callable[..., None], task: MakeTask) -> None:
    configure(AROUND=[f"{__name__}.around"])

    def fail(job_id: int) -> None:
        entered.append(("run", job_id))
        raise ValueError("no")

    pool = task(fail, attempts=1, attempt_after=0)
    job_id = pool.add()
    pool.wait(job_id, SECONDS)

    assert entered == [("in", job_id), ("run", job_id), ("out", job_id)] * 2


def test_an_around_that_raises_fails_the_run(configure: Callable[..., None], task: MakeTask) -> None:
    configure(AROUND=[f"{__name__}.refusing"])
    pool = task(lambda job_id: "ran")

    info = pool.wait(pool.add(), SECONDS)

    assert info.response == "not this tenant"


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"CARRY_CONTEXT": [f"{__name__}.entered"]}, "no ContextVar"),
        ({"CARRY_CONTEXT": ["no.such.module"]}, 'there is no module "no"'),
        ({"AROUND": ["no.such.module"]}, 'there is no module "no"'),
    ],
)
def test_what_can_not_be_carried_or_entered_is_told_by_the_check_and_at_first_use(
    configure: Callable[..., None], task: MakeTask, keys: dict[str, Any], text: str
) -> None:
    configure(**keys)
    pool = task(lambda job_id: None)

    assert any(text in fault.text for fault in checks.all_faults())
    with pytest.raises(ImproperlyConfigured, match=text):
        pool.add()
    boot.reset()


# track


def test_track_reports_the_first_and_the_last_row(site: Site, task: MakeTask) -> None:
    told: list[tuple[float, float, str]] = []

    def handler(job_id: int) -> int:
        job = current_job()
        assert job is not None
        return sum(job.track([1, 2, 3], message="adding"))

    pool = task(handler, event={"progress": lambda job_id, *report: told.append(report)})
    info = pool.wait(pool.add(), SECONDS)

    assert info.response == 6
    assert (info.current, info.total, info.message) == (3, 3, "adding")
    assert told[0] == (0, 3, "adding")
    assert told[-1] == (3, 3, "adding")


def test_track_of_what_has_no_length_counts_and_ends_full(task: MakeTask) -> None:
    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        for _ in job.track(iter(range(5))):
            pass

    pool = task(handler)
    info = pool.wait(pool.add(), SECONDS)

    assert (info.current, info.total) == (5, 5)


@pytest.mark.django_db
def test_track_never_asks_a_queryset_for_its_length(django_assert_num_queries: Any) -> None:
    reports: list[tuple[float, float, str]] = []

    class Reporter:
        def report(self, job: object, attempt: int | None, *progress: Any) -> None:
            reports.append(progress)

    job = CurrentJob(None, 1, Reporter())  # type: ignore[arg-type]
    with django_assert_num_queries(1):
        assert list(job.track(User.objects.all().iterator())) == []
    with django_assert_num_queries(0):
        next(job.track(User.objects.none()), None)

    assert reports[0] == (0, 0, "")


def test_track_stops_a_handler_whose_job_was_cancelled(site: Site, task: MakeTask) -> None:
    gate, raised = site.gate(), []

    def handler(job_id: int) -> None:
        job = current_job()
        assert job is not None
        try:
            for _ in job.track(range(10)):
                gate(job_id)
        except JobNotFound:
            raised.append(job_id)
            raise

    pool = task(handler)
    job_id = pool.add()
    gate.entered()
    pool.cancel(job_id)
    gate.open()

    assert until(lambda: raised, "the handler to stop") == [job_id]
