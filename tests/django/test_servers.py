"""What a server must allow, told at the first job."""

import sys
from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.conftest import Site


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
