"""The demo's other jobs, and that they come by themselves."""

from django.contrib.auth.models import User

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


def test_jobs_come_by_themselves(demo: Demo) -> None:
    user = User.objects.create_user("admin", "admin@example.org")

    def added() -> dict[str, int]:
        return {task: pool.metrics()["added"] for task, pool in tasks.items()}

    with Bustle(user):
        until(lambda: all(added().values()), f"jobs: {added()}")

    assert added() == {"fetch_rates": 9, "nightly_report": 1, "welcome_email": 1}
