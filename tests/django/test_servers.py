"""What a server must allow, told at the first job; how much it can do at once, and whether it is about to leave."""

import signal
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.conftest import Site
from yao_tasks import servers


def run_by_uwsgi(monkeypatch: pytest.MonkeyPatch, **attributes: Any) -> None:
    """Have the module `uwsgi`, which only a process of uWSGI has."""
    uwsgi = ModuleType("uwsgi")
    vars(uwsgi).update(attributes)
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)


def test_uwsgi_without_threads_is_refused_with_a_sentence(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = site.task("a", lambda job_id: None)
    run_by_uwsgi(monkeypatch, has_threads=0, opt={})

    for _ in range(2):
        with pytest.raises(
            ImproperlyConfigured, match=r"without enable-threads: .* Add enable-threads = true"
        ):
            pool.add()

    assert pool.metrics()["workers"] == 0


@pytest.mark.parametrize("attributes", [{"has_threads": 1, "opt": {}}, {}])
def test_uwsgi_with_threads_runs_jobs(
    site: Site, monkeypatch: pytest.MonkeyPatch, attributes: dict[str, Any]
) -> None:
    run_by_uwsgi(monkeypatch, **attributes)
    pool = site.task("a", lambda job_id: "ran")

    assert pool.wait(pool.add(), 10).response == "ran"


def handled_by(monkeypatch: pytest.MonkeyPatch, **attributes: Any) -> None:
    """Have SIGTERM handled by an object with these attributes, as servers do."""

    class Server(SimpleNamespace):
        def handle(self, *_: object) -> None:
            """Leave."""

    monkeypatch.setattr(signal, "getsignal", lambda number: Server(**attributes).handle)


@pytest.mark.parametrize(
    ("attributes", "leaves"),
    [
        ({"should_exit": True}, True),
        ({"should_exit": False}, False),
        ({"alive": False}, True),
        ({"alive": True}, False),
        ({}, False),
        ({"should_exit": object()}, False),
    ],
)
def test_a_server_that_was_told_to_stop_is_known_by_its_handler(
    monkeypatch: pytest.MonkeyPatch, attributes: dict[str, Any], leaves: bool
) -> None:
    handled_by(monkeypatch, **attributes)

    assert servers.is_leaving() is leaves


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN, None, lambda *_: None])
def test_without_such_a_handler_nobody_leaves(monkeypatch: pytest.MonkeyPatch, handler: Any) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: handler)

    assert not servers.is_leaving()


@pytest.mark.parametrize(
    ("environ", "threads", "streams", "spare"),
    [
        ({"wsgi.multithread": False}, 1, 0, 0),
        ({"wsgi.multithread": True}, 4, 2, 1),
        ({"wsgi.multithread": True, "SERVER_SOFTWARE": "WSGIServer/0.2"}, None, None, None),
        ({}, None, None, None),
    ],
)
def test_how_many_threads_a_server_has(
    environ: dict[str, Any], threads: int | None, streams: int | None, spare: int | None
) -> None:
    assert servers.threads(environ) == threads
    assert servers.spare_threads(environ) == spare
    assert threads is None or servers.stream_threads(threads) == streams


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 16])
def test_gunicorn_and_uwsgi_tell_how_many_threads_they_have(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    environ = {"wsgi.multithread": True, "SERVER_SOFTWARE": "gunicorn/27.0.1"}
    run_by_uwsgi(monkeypatch, opt={"threads": str(threads).encode()})
    by_uwsgi = servers.threads(environ)
    handled_by(monkeypatch, cfg=SimpleNamespace(threads=threads))

    assert servers.threads(environ) == by_uwsgi == threads
    spare = servers.spare_threads(environ)
    assert spare is not None
    # At least one always answers.
    assert spare + servers.stream_threads(threads) <= max(0, threads - 1)
