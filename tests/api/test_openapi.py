"""docs/openapi.json: whatever it allows is asked for, by each kind of reader, and answered as it says."""

import importlib
import json
import os
from importlib.util import find_spec
from typing import Any

import hypothesis
import pytest
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
from hypothesis import strategies

from tests.api.conftest import EVERYTHING, one_with
from tests.conftest import SECONDS, Site, until
from tests.docs.markdown import ROOT
from yao_tasks import job_url
from yao_tasks.api import events, finding
from yao_tasks.urls import urlpatterns

DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
OPERATIONS = [
    (path, method)
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
    if method != "parameters"
]


def test_it_has_each_address_and_no_other() -> None:
    named = {pattern.name for pattern in urlpatterns if pattern.name}

    assert {DOCUMENT["paths"][path][method]["operationId"] for path, method in OPERATIONS} == named
    for path, _ in OPERATIONS:
        example = path.replace("{task}", "job").replace("{job_id}", "1")
        assert get_resolver().resolve(f"/tasks{example}").url_name in named


@pytest.fixture
def schemathesis() -> Any:
    """The tool. Where there is none the tests are skipped, but not by a CI."""
    if find_spec("schemathesis") is None:
        said = "schemathesis isn't installed: pip install -e '.[http]'"
        pytest.fail(said) if os.environ.get("CI") == "true" else pytest.skip(said)
    return importlib.import_module("schemathesis")


@pytest.fixture
def jobs(site: Site, settings: Any) -> dict[str, int]:
    """A job in each state, by state."""
    settings.YAO_TASKS = {**settings.YAO_TASKS, "USER_RATE": 40, "STREAMS": True}
    settings.ALLOWED_HOSTS = ["*"]
    gate = site.gate()

    def work(job_id: int, what: str = "", *rest: Any, **named: Any) -> Any:
        if what == "hold":
            gate(job_id)
        if what == "fail":
            raise ValueError(what)
        return {"what": what}

    pool = site.task("job", work, size=1_000)
    found = {what: pool.add(what) for what in ("hold", "fail", "end")}
    pool.wait(found["fail"], SECONDS)
    pool.wait(found["end"], SECONDS)
    until(lambda: pool.get(found["hold"]).status == "RUNNING")
    return found


WHO: dict[str, tuple[str, ...]] = {
    "anonymous": (),
    "with a link": (),
    "viewer": ("view_jobs",),
    "operator": EVERYTHING,
}
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def threaded(environ: dict[str, Any], start_response: Any) -> Any:
    """The site, as a server with threads calls it."""
    return get_wsgi_application()({**environ, "wsgi.multithread": True}, start_response)


def browser_of(who: str) -> dict[str, dict[str, str]]:
    """What the browser of somebody with these permissions sends along."""
    if not WHO[who]:
        return {}
    token = "a" * 32
    session = one_with(*WHO[who]).cookies["sessionid"].value
    return {"cookies": {"sessionid": session, "csrftoken": token}, "headers": {"X-CSRFToken": token}}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_each_answer_is_one_that_the_document_knows(
    schemathesis: Any, jobs: dict[str, int], monkeypatch: pytest.MonkeyPatch, who: str, path: str, method: str
) -> None:
    monkeypatch.setattr(finding, "PATIENCE", 0.01)
    monkeypatch.setattr(events, "LONGEST_IN_THREAD", 0.01)
    # Beside whatever there may be: jobs that there are.
    links = {job_id: job_url("job", job_id).partition("link=")[2] for job_id in jobs.values()}
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.app = threaded
    schema.location = "http://testserver/openapi.json"
    checks = [
        getattr(importlib.import_module("schemathesis.specs.openapi.checks"), name) for name in CHECKS[1:]
    ]
    checks.append(importlib.import_module("schemathesis.checks").not_a_server_error)
    browser, codes = browser_of(who), set()

    @hypothesis.settings(max_examples=40, database=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(
        case=schema[path][method.upper()].as_strategy(),
        job_id=strategies.sampled_from([None, *links]),
    )
    def ask(case: Any, job_id: int | None) -> None:
        if job_id is not None and case.path_parameters:
            case.path_parameters = {"task": "job", "job_id": job_id}
            if who == "with a link":
                case.query = {"link": links[job_id]}
        answer = case.call(**browser)
        case.validate_response(answer, checks=checks)
        codes.add(answer.status_code)

    ask()
    assert codes & ({200} if path == "/health/" else EXPECTED[who, method]), codes


EXPECTED = {
    ("anonymous", "get"): {404},
    **{(who, "get"): {200} for who in ("with a link", "viewer", "operator")},
    **{(who, "post"): {403} for who in WHO},
    ("operator", "post"): {200, 201},
}
