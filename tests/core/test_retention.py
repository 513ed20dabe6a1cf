"""What is remembered of ended jobs, by age and by number."""

from yao_tasks.core.jobs import READY, Job, JobError
from yao_tasks.core.lifecycle import Lifecycle
from yao_tasks.core.retention import FAILURE_SECONDS, Retention

ERROR = JobError(kind="raised", type="ValueError", message="no", traceback="")


def remembering(*, seconds: float = 60.0, most: int = 100) -> Retention:
    life = Lifecycle("mail", worker_nums=1000, size=1000, keeps_ended=seconds > 0)
    return Retention(life, seconds=seconds, most=most)


def end(retention: Retention, job_id: int, at: float, *, good: bool = True) -> Job:
    job = Job(job_id, (), {}, at, 0.0)
    life = retention.life
    life.admit(job, READY)
    life.start(job, "w", at)
    if good:
        life.succeed(job, 1, None, at, resting=True)
    else:
        life.fail(job, 1, ERROR, at)
        life.rest(late=False)
    retention.keep(job, at)
    return job


def known(retention: Retention, now: float, *ids: int) -> list[int]:
    return [job_id for job_id in ids if retention.find(job_id, now) is not None]


def test_a_success_is_remembered_for_its_seconds_and_a_failure_for_a_day() -> None:
    retention = remembering(seconds=60.0)
    end(retention, 1, 0.0)
    end(retention, 2, 0.0, good=False)

    moments = (59.9, 60.0, FAILURE_SECONDS - 0.1, FAILURE_SECONDS)

    assert [known(retention, now, 1, 2) for now in moments] == [[1, 2], [2], [2], []]


def test_what_is_too_old_is_let_go_when_the_next_job_ends() -> None:
    retention = remembering(seconds=60.0)
    end(retention, 1, 0.0)

    end(retention, 2, 61.0)

    assert set(retention.life.ended) == {2}
    assert [job.id for job in retention.successes] == [2]


def test_the_oldest_of_too_many_is_let_go_and_failures_do_not_push_out_successes() -> None:
    retention = remembering(most=3)
    for number in range(1, 6):
        end(retention, number, float(number) / 100)
    for number in range(11, 16):
        end(retention, number, float(number) / 100, good=False)

    assert set(retention.life.ended) == {3, 4, 5, 13, 14, 15}


def test_retention_zero_remembers_neither() -> None:
    retention = remembering(seconds=0.0)

    end(retention, 1, 0.0)
    end(retention, 2, 0.0, good=False)

    assert known(retention, 0.0, 1, 2) == []
    assert (len(retention.successes), len(retention.failures)) == (0, 0)


def test_an_id_that_names_a_later_job_is_not_forgotten_with_the_earlier_one() -> None:
    retention = remembering(most=1)
    earlier = end(retention, 1, 0.0)
    later = Job(1, (), {}, 0.0, 0.0)
    retention.life.ended[1] = later

    end(retention, 2, 0.1)
    retention.trim(0.2)

    assert earlier not in retention.successes
    assert retention.life.ended[1] is later


def test_only_one_thread_trims_and_nobody_waits_for_it() -> None:
    retention = remembering(seconds=1.0)
    end(retention, 1, 0.0)

    with retention.trimming:
        retention.trim(5.0)

    assert set(retention.life.ended) == {1}
