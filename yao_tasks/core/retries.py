"""Whether a failed run is followed by another, and when. Pure decisions."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from yao_tasks.core.errors import GiveUp, JobTimeout, RemoteError, Retry, Verdict

# So that jobs which failed together don't come back together.
JITTER = 0.1

_NEVER, _AGAIN = Verdict(again=False), Verdict(again=True)

Exceptions = tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """What a definition says of retries. Durations are seconds."""

    attempts: int
    """Retries after the first run."""
    after: float
    exponential: bool = False
    """Whether the wait doubles at each retry."""
    most_after: float = 3_600.0
    retry_on: Exceptions | None = None
    """The failures that are retried; None: all."""
    give_up_on: Exceptions = ()
    """The failures that are not, whatever `retry_on` says."""
    chance: Callable[[], float] = random.random

    def delay(self, exception: BaseException, runs: int) -> float | None:
        """Seconds until the next run, after `runs` runs of which the last raised this; None: there is none."""
        verdict = self.judge(exception)
        if runs > self.attempts or not verdict.again:
            return None
        return self._wait(runs) if verdict.after is None else verdict.after

    def judge(self, exception: BaseException) -> Verdict:
        """What becomes of a run that raised this, if attempts are left."""
        if isinstance(exception, RemoteError) and exception.verdict is not None:
            # Judged where its class was at hand.
            return exception.verdict
        if isinstance(exception, GiveUp):
            return _NEVER
        if isinstance(exception, Retry):
            return Verdict(again=True, after=exception.after, asked=True)
        if isinstance(exception, self.give_up_on):
            return _NEVER
        if self.retry_on is not None and not isinstance(exception, self.retry_on):
            return _NEVER
        return _AGAIN

    def delay_of_timeout(self, exception: JobTimeout, runs: int, *, stoppable: bool) -> float | None:
        """The same for a run that was cut off. One that can't be stopped may still be doing its work.

        So it is followed by another only where `retry_on` names JobTimeout itself.
        """
        named = self.retry_on is not None and JobTimeout in self.retry_on
        return self.delay(exception, runs) if stoppable or named else None

    def _wait(self, runs: int) -> float:
        if not self.exponential:
            return self.after
        # 2.0**60 times a millisecond is past any bound, and no float overflows.
        wait = self.after * 2.0 ** min(max(0, runs - 1), 60)
        return min(self.most_after, wait * (1 - JITTER + 2 * JITTER * self.chance()))
