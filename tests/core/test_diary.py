"""What is remembered of jobs beside their state, and within which bounds."""

import logging
import threading
from collections.abc import Iterator

import pytest

from tests.conftest import Site, until
from yao_tasks.core.diary import ATTEMPTS, LINES, Attempt, Diary, Line, diary
from yao_tasks.core.jobs import JobError
from yao_tasks.pools import Pool

foreign = logging.getLogger("accounts.mail")


@pytest.fixture(autouse=True)
def _a_logger_that_listens() -> Iterator[None]:
    foreign.setLevel(logging.INFO)
    yield
    foreign.setLevel(logging.NOTSET)
    foreign.propagate = True


def line(text: str) -> Line:
    return Line(at=0.0, level="INFO", logger="x", text=text)


def attempt(number: int, traceback: str = "") -> Attempt:
    error = JobError(kind="raised", type="ValueError", message="no", traceback=traceback)
    return Attempt(number=number, started=0.0, ended=1.0, worker="w", error=error)


def texts(pool: Pool, job_id: int) -> list[str]:
    return [one.text for one in diary.lines(pool.id, job_id)]


def test_the_last_lines_and_runs_of_a_job_are_kept() -> None:
    book = Diary()
    for number in range(LINES + 5):
        book.write("mail", 1, line(str(number)))
    for number in range(ATTEMPTS + 2):
        book.note("mail", 1, attempt(number))

    assert [one.text for one in book.lines("mail", 1)] == [str(number) for number in range(5, LINES + 5)]
    assert [one.number for one in book.attempts("mail", 1)] == list(range(2, ATTEMPTS + 2))
    assert book.lines("mail", 2) == book.attempts("other", 1) == []


def test_beyond_its_bound_it_forgets_the_job_that_came_first() -> None:
    book = Diary(most=20_000)
    for job_id in range(1, 101):
        book.write("mail", job_id, line("x" * 700))
        book.note("mail", job_id, attempt(1, "y" * 700))

    kept = [job_id for job_id in range(1, 101) if book.lines("mail", job_id)]

    # 700 characters and what an entry takes beside them, twice a job.
    assert kept == list(range(92, 101))
    # Lines that push out others are counted out, too: a job that goes on writing takes no more and more.
    for _ in range(LINES * 2):
        book.write("mail", 100, line(""))
    assert book._size == sum(page.size for page in book._pages.values()) <= LINES * 300 + 1_002


def test_the_newest_lines_are_found_by_a_word_or_by_their_job() -> None:
    book = Diary()
    book.write("mail", 17, line("Sent to Ada"))
    book.write("mail", 18, line("sent to Bob"))
    book.write("mail", 17, line("done"))

    found = book.search("SENT", 20)

    assert [(one["job"], one["text"]) for one in found] == [(18, "sent to Bob"), (17, "Sent to Ada")]
    assert [one["text"] for one in book.search("task_17", 20)] == ["done", "Sent to Ada"]
    assert [one["text"] for one in book.search("", 1)] == ["done"]
    assert book.search("task_1", 20) == book.search("x", 0) == []
    assert found[0] == {
        "task": "mail",
        "job": 18,
        "at": 0.0,
        "level": "INFO",
        "logger": "x",
        "text": "sent to Bob",
    }


def test_what_a_job_logs_is_remembered_wherever_its_logger_sends_it(site: Site) -> None:
    def handler(job_id: int) -> None:
        foreign.propagate = False
        foreign.info("to %s", "Ada")
        foreign.debug("below the level")
        try:
            raise ValueError("no date")
        except ValueError:
            foreign.exception("row 17")

    pool = site.task("mail", handler)
    job_id = pool.add()
    pool.wait(job_id, 5)
    foreign.info("outside of all jobs")

    first, second = texts(pool, job_id)

    assert first == "to Ada"
    assert second.startswith("row 17\nTraceback")
    assert second.endswith("ValueError: no date\n")


def test_a_line_that_cannot_be_read_costs_no_job(site: Site) -> None:
    class Odd:
        def __str__(self) -> str:
            raise KeyError("odd")

    def handler(job_id: int) -> str:
        foreign.propagate = False
        foreign.addHandler(logging.NullHandler())
        foreign.info("%s", Odd())
        return "done"

    pool = site.task("mail", handler)

    assert pool.wait(pool.add(), 5).response == "done"


def test_our_own_lines_about_a_job_and_its_failed_runs_are_remembered(site: Site) -> None:
    def handler(job_id: int) -> None:
        raise ValueError("no date")

    pool = site.task("mail", handler, attempts=1, attempt_after=0)
    job_id = pool.add()
    pool.wait(job_id, 5)
    until(lambda: len(diary.lines("mail", job_id)) == 2)

    runs = diary.attempts("mail", job_id)

    assert [(run.number, run.worker, run.error.message) for run in runs] == [
        (1, "mail-1", "no date"),
        (2, "mail-1", "no date"),
    ]
    assert all(0 <= run.started <= run.ended < 5 for run in runs)
    assert texts(pool, job_id) == [
        f"run 1 of job {job_id} failed and is tried again in 0 s: no date",
        f"job {job_id} failed in run 2 (raised): no date",
    ]


def test_our_own_line_about_another_job_is_that_jobs_alone(site: Site) -> None:
    def fails(job_id: int) -> None:
        raise ValueError("no date")

    inner = site.task("inner", fails, engine="inline")
    outer = site.task("outer", lambda job_id: Pool("inner").add())
    inner_id = outer.wait(outer.add(), 5).response
    until(lambda: diary.lines("inner", inner_id))

    (outer_id,) = (info.id for info in outer.search())

    assert inner.id == "inner"
    assert "failed in run 1" in texts(inner, inner_id)[0]
    assert texts(outer, outer_id) == []


def test_other_factories_of_records_go_on(site: Site) -> None:
    pool = site.task("mail", lambda job_id: None)
    pool.wait(pool.add(), 5)

    record = logging.getLogRecordFactory()("x", logging.INFO, "file", 1, "hello %s", ("Ada",), None)

    assert record.getMessage() == "hello Ada"


def test_many_threads_write_at_once() -> None:
    book = Diary(most=50_000)

    def write(job_id: int) -> None:
        for number in range(500):
            book.write("mail", job_id, line(str(number)))

    threads = [threading.Thread(target=write, args=(job_id,)) for job_id in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert book._size == sum(page.size for page in book._pages.values()) <= 110_000
