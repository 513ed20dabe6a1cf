"""A pool in numbers: how long its jobs waited and ran in the last hour, minute by minute."""

from math import frexp
from typing import Any

from yao_tasks.core.jobs import Job

MINUTES = 60
# Of more jobs than that in a minute, one in so many is measured and stands for the others.
SAMPLED_FROM = 1_000
SAMPLE = 16


class Spread:
    """Durations as a histogram: some thirty numbers, however many there were. Eight buckets an octave."""

    __slots__ = ("buckets", "count", "most", "total")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.most = 0.0

    def add(self, seconds: float, weight: int = 1) -> None:
        """Count one, or one that stands for `weight`. Any thread: nothing hands the GIL over before a store."""
        mantissa, exponent = frexp(seconds)
        # 0.5 <= mantissa < 1: sixteenths of it are eight buckets.
        bucket = exponent * 8 + int(mantissa * 16) - 8
        if bucket in self.buckets:
            self.buckets[bucket] += weight
        else:
            self.buckets[bucket] = weight
        self.count += weight
        self.total += seconds * weight
        if seconds > self.most:
            self.most = seconds

    def merge(self, other: "Spread") -> None:
        """Count all of another."""
        for bucket, count in list(other.buckets.items()):
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total
        self.most = max(self.most, other.most)

    def summary(self) -> dict[str, float]:
        """`avg`, `p50`, `p95`, `max`, in seconds; zeros without any. Percentiles are exact to 6 %."""
        average = self.total / self.count if self.count else 0.0
        return {"avg": average, "p50": self._quantile(0.5), "p95": self._quantile(0.95), "max": self.most}

    def _quantile(self, part: float) -> float:
        left = part * sum(self.buckets.values())
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                exponent, place = divmod(bucket, 8)
                # The middle of the bucket, but never beyond what there was.
                return float(min(self.most, (8 + place + 0.5) / 16 * 2.0**exponent))
        return 0.0


class Minute:
    """What ended in one minute of the monotonic clock."""

    __slots__ = ("failed", "number", "retried", "run", "succeeded", "wait")

    def __init__(self, number: int) -> None:
        self.number = number
        self.succeeded = 0
        self.failed = 0
        self.retried = 0
        self.wait = Spread()
        self.run = Spread()


class Times:
    """The last hour of a pool. Any thread may call any method; `now` is in monotonic seconds."""

    def __init__(self, now: float) -> None:
        self.minutes: dict[int, Minute] = {}
        self.current = self._roll(now)
        self.until = (self.current.number + 1) * 60.0

    def succeeded(self, job: Job, now: float) -> None:
        """A job has ended well."""
        minute = self.current if now < self.until else self._roll(now)
        minute.succeeded = count = minute.succeeded + 1
        started = job.started
        if started is None:
            return
        if count <= SAMPLED_FROM:
            minute.wait.add(started - job.ready)
            minute.run.add(now - started)
        elif not count % SAMPLE:
            minute.wait.add(started - job.ready, SAMPLE)
            minute.run.add(now - started, SAMPLE)
        elif now - started > minute.run.most:
            minute.run.most = now - started

    def failed(self, job: Job, now: float, *, ran: bool) -> None:
        """A job has failed for good. `ran`: in a run, not while it waited for its first or its next one."""
        minute = self.current if now < self.until else self._roll(now)
        minute.failed += 1
        if ran and job.started is not None:
            minute.wait.add(job.started - job.ready)
            minute.run.add(now - job.started)

    def retried(self, now: float) -> None:
        """A run has failed, and another follows."""
        minute = self.current if now < self.until else self._roll(now)
        minute.retried += 1

    def summary(self, now: float) -> dict[str, Any]:
        """`wait_time` and `run_time` of the last hour, and `minutes`: 60 dicts, the oldest first."""
        last = int(now // 60)
        hour = [self.minutes.get(number) or Minute(number) for number in range(last - MINUTES + 1, last + 1)]
        wait, run = Spread(), Spread()
        for minute in hour:
            wait.merge(minute.wait)
            run.merge(minute.run)
        return {
            "wait_time": wait.summary(),
            "run_time": run.summary(),
            "minutes": [_row(m, last) for m in hour],
        }

    def _roll(self, now: float) -> Minute:
        number = int(now // 60)
        # Two threads may come at once: both get the same minute.
        minute = self.minutes.setdefault(number, Minute(number))
        for old in [one for one in list(self.minutes) if one <= number - MINUTES]:
            self.minutes.pop(old, None)
        self.current, self.until = minute, (number + 1) * 60.0
        return minute


def _row(minute: Minute, last: int) -> dict[str, Any]:
    return {
        "minutes_ago": last - minute.number,
        "succeeded": minute.succeeded,
        "failed": minute.failed,
        "retried": minute.retried,
    }
