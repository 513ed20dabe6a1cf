from tests.conftest import Site


def test_a_job_runs_and_its_result_can_be_read(site: Site) -> None:
    pool = site.task("echo", lambda job_id, *args, **kwargs: [job_id, args, kwargs])

    job_id = pool.add(1, two=2)

    info = pool.wait(job_id, 5)
    assert (info.status, info.response) == ("SUCCESS", [job_id, (1,), {"two": 2}])
