"""The demo's other jobs, and that they come by themselves."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from demo_project.accounts.models import Contact
from demo_project.bustle import Bustle
from demo_project.chores import CURRENCIES, DAYS
from tests.conftest import until
from tests.demo.conftest import Demo
from yao_tasks import tasks


def test_the_report_counts_the_sign_ups_of_thirty_days(demo: Demo) -> None:
    User.objects.create_user("ada")
    info = tasks["nightly_report"].wait(tasks["nightly_report"].add(), 10)

    assert info.status == "SUCCESS", info.error
    assert len(info.response) == DAYS
    assert sum(info.response.values()) == 1


def test_the_rates_come_in_the_end_however_often_the_service_is_down(demo: Demo) -> None:
    demo.define("fetch_rates", attempt_after=1)
    pool = tasks["fetch_rates"]
    ids = [pool.add() for _ in range(6)]
    ends = [pool.wait(job_id, 10) for job_id in ids]

    assert [info.response for info in ends] == [len(CURRENCIES)] * 6
    assert sorted(info.attempt for info in ends) == [1, 1, 2, 2, 2, 3]


MORE = {"thumbnails": 1, "import_contacts": 1}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Path:
    """A DEMO_DATA of the test's own; children of process workers have it by the environment."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setenv("DEMO_DATA", str(tmp_path))
    return tmp_path


def test_a_list_of_thousands_is_imported_and_a_second_time_does_no_harm(demo: Demo, data: Path) -> None:
    pool = tasks["import_contacts"]

    ends = [pool.wait(pool.add(), 60) for _ in range(2)]

    assert [info.response for info in ends] == [{"rows": 3_000, "bad": 30}] * 2
    assert (ends[0].current, ends[0].total) == (3_000, 3_000)
    assert Contact.objects.count() == 2_970


def test_another_file_is_refused_in_a_sentence_and_not_tried_again(demo: Demo, data: Path) -> None:
    (data / "other.csv").write_text("a;b\n1;2\n")
    pool = tasks["import_contacts"]

    info = pool.wait(pool.add("other.csv"), 10)

    assert (info.status, info.attempt) == ("FAILURE", 1)
    assert info.response == "other.csv: the first line is ['a;b'], not ['name', 'email']."


@pytest.mark.slow
def test_thumbnails_are_made_in_a_process(demo: Demo, data: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pool = tasks["thumbnails"]

    info = pool.wait(pool.add(count=3), 60)

    assert info.status == "SUCCESS", info.error
    assert info.response == ["0.jpg", "1.jpg", "2.jpg"]
    assert (info.current, info.total, info.message) == (3, 3, "Making thumbnails")
    for name in info.response:
        with image.open(data / "pictures" / "thumbnails" / name) as thumbnail:
            assert thumbnail.size == (160, 120)


def test_jobs_come_by_themselves(demo: Demo) -> None:
    user = User.objects.create_user("admin", "admin@example.org")

    def added() -> dict[str, int]:
        return {task: pool.metrics()["added"] for task, pool in tasks.items()}

    with Bustle(user):
        until(lambda: all(added().values()), f"jobs: {added()}")

    assert added() == {"fetch_rates": 9, "nightly_report": 1, "welcome_email": 1, **MORE}
