"""`logs.search`: the newest lines of the jobs of this process."""

import logging
from typing import Any

import pytest

from tests.conftest import SECONDS, Site
from yao_tasks import Process
from yao_tasks.core.diary import LINE_LENGTH
from yao_tasks.pools import Pool

log = logging.getLogger("shop")


@pytest.fixture
def pool(site: Site) -> Pool:
    return site.task("job", lambda job_id, text: log.warning("said %s", text))


def texts(*filters: Any) -> list[str]:
    return [line["text"] for line in Process("logs.search", *filters)]


def test_a_jobs_lines_are_found_by_its_id_and_all_by_their_words(pool: Pool) -> None:
    first, second = (pool.wait(pool.add(text), SECONDS).id for text in ("hello", "good bye"))

    assert texts({"keyword": f"task_{first}", "limit": 20}) == ["said hello"]
    assert texts({"keyword": "SAID"}) == ["said good bye", "said hello"]
    assert texts({"keyword": "said", "limit": 1}) == ["said good bye"]
    assert texts() == texts({}) == ["said good bye", "said hello"]
    assert texts({"limit": 0}) == texts({"keyword": "nobody"}) == []
    (line,) = Process("logs.search", {"keyword": f"task_{second}"})
    assert set(line) == {"task", "job", "at", "level", "logger", "text"}
    assert (line["task"], line["job"], line["level"], line["logger"]) == ("job", second, "WARNING", "shop")


@pytest.mark.parametrize(
    ("args", "kind", "said"),
    [
        (("task_7",), TypeError, '"task_7" is no dict'),
        (([],), TypeError, "[] is no dict"),
        (({"keywords": "x"},), ValueError, 'Did you mean "keyword"?'),
        (({"keyword": 7},), TypeError, '"keyword" is 7'),
        (({"keyword": "x" * 10_000},), ValueError, f"10,000 characters. Give {LINE_LENGTH:,} at most"),
        (({"limit": "20"},), ValueError, '"limit" is "20"'),
        (({"limit": True},), ValueError, '"limit" is true'),
        (({"limit": -1},), ValueError, '"limit" is -1'),
        (({}, {}), TypeError, "2 arguments"),
    ],
)
def test_filters_that_are_none_are_refused(args: tuple[Any, ...], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as error:
        Process("logs.search", *args)

    assert said in str(error.value)
