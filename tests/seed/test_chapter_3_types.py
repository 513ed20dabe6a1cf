"""Chapter 核心数据类型: the numbers of the states, the keys of a definition and of what `get` answers."""

from typing import Any, get_args

from tests.conftest import SECONDS, Site
from tests.seed.conftest import EXAMPLES
from yao_tasks import Process
from yao_tasks.core.jobs import CODES


def types() -> dict[str, Any]:
    """The example in Python that shows them."""
    (text,) = [one.text for one in EXAMPLES if "class TaskConfig" in one.text]
    found: dict[str, Any] = {}
    exec(text, found)
    return found


def test_任务状态常量_are_the_status_codes() -> None:
    known = types()

    assert {name: known[name] for name in get_args(known["Status"])} == CODES


def test_任务配置结构_is_what_config_answers(site: Site) -> None:
    site.task("job", lambda job_id: None, timeout=2, attempt_after=200)

    config = Process("tasks.job.config")

    wanted = types()["TaskConfig"].__annotations__
    assert {name: type(config[name]) for name in ("worker_nums", "attempts", "size")} == {
        "worker_nums": int,
        "attempts": int,
        "size": int,
    }
    assert set(wanted) <= set(config)
    assert (config["timeout"], config["attempt_after"]) == (2, 0.2)


def test_任务信息结构_is_exactly_what_get_answers(site: Site) -> None:
    pool = site.task("job", lambda job_id: {"message": "ok"})
    job_id = Process("tasks.job.add")
    pool.wait(job_id, SECONDS)

    info = Process("tasks.job.get", job_id)

    assert type(info) is dict
    assert set(info) == set(types()["TaskInfo"].__annotations__)
    assert info == {
        "id": job_id,
        "status": "SUCCESS",
        "current": 0,
        "total": 0,
        "message": "",
        "response": {"message": "ok"},
    }
