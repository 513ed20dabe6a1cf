"""The examples of python.md and definitions.md do what the words around them say."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import SECONDS, Site
from tests.docs.markdown import ROOT, blocks, read, section
from yao_tasks import GiveUp, current_job
from yao_tasks.errors import DuplicateJob
from yao_tasks.pools import Pool


def example(page: str, title: str, number: int = 0) -> str:
    """The text of a section's example in Python."""
    found = [one for one in blocks(section(read(ROOT / "docs" / page), title)) if one.language == "python"]
    return found[number].text


def run(text: str, **names: Any) -> dict[str, Any]:
    """Run an example with these names known; answers all names after it."""
    exec(text, names)
    return names


@pytest.fixture
def pool(site: Site) -> Pool:
    return site.task("job", lambda job_id, address: address.upper(), unique=True)


def test_options_put_a_job_off(pool: Pool) -> None:
    run(example("python.md", "Options"), pool=pool)

    assert [info.kwargs for info in pool.search(phase="delayed")] == [{}]


def test_many_jobs_end(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    names = run(example("python.md", "Many at once"), pool=pool)

    told = capsys.readouterr().out.split()
    assert sorted(map(int, told[::2])) == names["ids"]
    assert told[1::2] == ["SUCCESS", "SUCCESS"]


def test_an_equal_job_is_answered_by_its_id(site: Site) -> None:
    pool = site.task("job", site.gate())
    text = example("python.md", "Equal jobs")

    first, second = (run(text, pool=pool, user=object(), DuplicateJob=DuplicateJob) for _ in range(2))

    assert first["job_id"] == second["job_id"]


def test_a_coroutine_adds_and_waits(pool: Pool) -> None:
    names = run(example("python.md", "Coroutines"), pool=pool)

    assert asyncio.run(names["sign_up"]("ada")) == "ADA"


def test_searching_finds_by_text(pool: Pool) -> None:
    job_id = pool.add("Ada@Example.org")
    pool.wait(job_id, SECONDS)

    names = run(example("python.md", "Searching"), pool=pool)

    assert (names["late"], [info.id for info in names["hers"]]) == ([], [job_id])


def answer(status: int) -> Callable[[str], Any]:
    """A web page's answer."""
    return lambda url: SimpleNamespace(status=status, text="words", headers={"Retry-After": "0"})


def test_a_handler_has_its_own_word_on_retries(site: Site) -> None:
    text = example("definitions.md", "Retries")
    statuses = iter([429, 200])
    again = site.task(
        "again",
        run(text, get=lambda url: answer(next(statuses))(url))["fetch"],
        attempts=1,
        attempt_after=60_000,
    )
    gone = site.task("gone", run(text, get=answer(404))["fetch"], attempts=5)

    good, bad = (one.wait(one.add("u"), SECONDS) for one in (again, gone))

    assert (good.response, good.attempt) == ("words", 2)
    assert bad.error is not None
    assert (bad.error.type, bad.attempt) == (f"{GiveUp.__module__}.GiveUp", 1)


def test_a_handler_stops_and_reports(site: Site) -> None:
    saved: list[str] = []
    names = run(
        example("python.md", "Inside a handler"),
        current_job=current_job,
        read_rows=lambda path: ["a", "b"],
        save=saved.append,
    )
    pool = site.task("job", names["import_rows"])

    info = pool.wait(pool.add("path"), SECONDS)

    assert (saved, info.current, info.total) == (["a", "b"], 1, 2)
