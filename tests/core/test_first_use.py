"""The first use of a task, by many threads at once."""

import threading

from tests.conftest import Site
from yao_tasks import boot


def test_threads_that_use_a_task_first_at_the_same_time_share_one_pool(site: Site) -> None:
    for round_ in range(30):
        pool = site.task(f"first_{round_}", lambda job_id: job_id)
        barrier, ids = threading.Barrier(8), []

        def add(pool=pool, barrier=barrier, ids=ids) -> None:  # type: ignore[no-untyped-def]
            barrier.wait(10)
            ids.append(pool.add())

        threads = [threading.Thread(target=add) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        assert [pool.wait(job_id, 10).status for job_id in ids] == ["SUCCESS"] * 8
        assert len(boot._houses) == 1
