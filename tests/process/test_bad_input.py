"""`Process` with names and arguments that mean nothing: a sentence, and nothing has happened."""

from typing import Any

import pytest

from tests.conftest import Site
from yao_tasks import Process, Progress
from yao_tasks.errors import BadJobId, JobNotFound, TaskNotFound


@pytest.mark.parametrize(
    ("name", "args", "kind", "said"),
    [
        ("", (), LookupError, "No process is named"),
        ("tasks", (), LookupError, "No process is named"),
        ("tasks.", (), LookupError, "No process is named"),
        ("task.job.add", (), LookupError, "No process is named"),
        ("tasks.job", (), LookupError, "has no verb"),
        ("tasks.job.", (), LookupError, "tasks have no verb"),
        ("tasks.job.gett", (1,), LookupError, 'Did you mean "get"?'),
        ("tasks.job.process", (), LookupError, "tasks have no verb"),
        ("tasks.jbo.add", (), TaskNotFound, "job"),
        ("tasks.job.get", (), TypeError, "no arguments. Its arguments are: the job's id."),
        ("tasks.job.get", (1, 2), TypeError, "2 arguments"),
        (
            "tasks.job.progress",
            (1,),
            TypeError,
            "1 argument. Its arguments are: the job's id, current, total",
        ),
        ("tasks.job.progress", (1, 2, 3, "", 5), TypeError, "5 arguments"),
        ("tasks.job.config", (1,), TypeError, "Its arguments are: none"),
        ("tasks.metrics.success_rate", (1,), TypeError, "1 argument"),
        ("system.monitor.status", (1,), TypeError, "1 argument"),
        ("logs.serach", (), LookupError, 'Did you mean "search"?'),
        ("scripts", (), LookupError, "No process is named"),
        ("scripts.task", (), LookupError, "names no function"),
        ("tasks.job.get", ("7",), BadJobId, "'7' is no job id"),
        ("tasks.job.get", (7.0,), BadJobId, "7.0 is no job id"),
        ("tasks.job.get", (True,), BadJobId, "True is no job id"),
        ("tasks.job.get", (None,), BadJobId, "None is no job id"),
        ("tasks.job.get", (-7,), JobNotFound, "-7"),
        ("tasks.job.get", (10**30,), JobNotFound, "1000"),
        ("tasks.job.cancel", ("7",), BadJobId, "'7' is no job id"),
        ("tasks.job.progress", ("7", 1, 2), BadJobId, "'7' is no job id"),
        (7, (), TypeError, "7 is no name"),
        (None, (), TypeError, "null is no name"),
    ],
)
def test_what_means_nothing_is_told_in_a_sentence(
    site: Site, name: Any, args: tuple[Any, ...], kind: type[Exception], said: str
) -> None:
    pool = site.task("job", lambda job_id: None)

    with pytest.raises(kind) as error:
        Process(name, *args)

    assert said in str(error.value)
    assert pool.metrics()["added"] == 0


@pytest.mark.parametrize("name", ["", "tasks", "tasks.job", "job.process", 7, None])
def test_progress_of_what_is_no_task_is_told_in_a_sentence(site: Site, name: Any) -> None:
    with pytest.raises(LookupError, match="names no task"):
        Progress(name, 7, 1, 2)


def test_a_name_of_ten_thousand_characters_is_answered_in_a_short_sentence(site: Site) -> None:
    site.task("job", lambda job_id: None)
    for name in (
        "x" * 10_000,
        "tasks." + "x" * 10_000 + ".add",
        "tasks.job." + "x" * 10_000,
        "logs." + "x" * 10_000,
    ):
        with pytest.raises(LookupError) as error:
            Process(name)

        assert len(str(error.value)) < 500


def test_what_is_short_of_an_argument_adds_nothing_in_any_case_of_the_verb(site: Site) -> None:
    pool = site.task("job", lambda job_id: None)

    assert Process("tasks.job.ADD") == pool.search()[0].id
    with pytest.raises(TypeError):
        Process("tasks.job.Progress", 1)
