"""How a durable job comes in: a row in the caller's transaction, and at its commit a word to who may run it."""

import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial as bind
from itertools import repeat
from time import time as wall
from typing import Any

from django.db import connections

from yao_tasks.core import refusals, strict
from yao_tasks.core.errors import BadJobId, DuplicateJob, QueueFull
from yao_tasks.core.jobs import Job
from yao_tasks.core.lifecycle import shadow
from yao_tasks.engines import transactions
from yao_tasks.engines.adding import seconds_until
from yao_tasks.engines.base import DEFAULTS, Arguments, Block, Options
from yao_tasks.engines.durable.parts import DurableParts
from yao_tasks.engines.likeness import key_of
from yao_tasks.journal.durable import dialects, drafts
from yao_tasks.journal.durable.drafts import Draft

# Ids that another machine has given, too, or keys that were free again when they were looked at: then once more.
TRIES = 5


class DurableAdding(DurableParts):
    """The adding half of a durable pool."""

    def add(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options = DEFAULTS,
        job_id: int | None = None,
    ) -> int:
        """Add a job, as `Engine.add` says. Raises django.db.Error, too: what the database says."""
        return self._write([(args, kwargs)], options, ids=[job_id or 0])[0]

    def add_many(self, calls: Sequence[Arguments], options: Options, *, partial: bool) -> list[int]:
        """Add many jobs in one INSERT, as `Engine.add_many` says."""
        return self.write_many(calls, options, ids=repeat(0), partial=partial)

    def check_room(self, count: int) -> None:
        """Raise where so many could not be added just now, as `Engine.check_room` says. Raises django.db.Error."""
        if self.life.closing:
            raise refusals.closed(self.definition.id)
        self.size.take(count)
        self.size.give_back(count)

    def hold(
        self,
        calls: Sequence[Arguments],
        options: Options,
        block: Block,
        *,
        partial: bool = False,
        ids: Iterable[int] = repeat(0),
    ) -> list[int]:
        """Add many for somebody else's transaction: they are written once that is committed."""
        for args, kwargs in calls:
            strict.encoded(args, kwargs)
        chosen = [given or self.next_id() for given, _ in zip(ids, calls, strict=False)]

        def write() -> None:
            self.write_many(calls, options, ids=chosen, partial=partial)

        transactions.hold(write, (), block, self.dropped)
        return chosen

    def write_many(
        self, calls: Sequence[Arguments], options: Options, *, ids: Iterable[int], partial: bool
    ) -> list[int]:
        """Write many; with `partial` each for itself, and 0 for each that is refused."""
        given = [job_id for job_id, _ in zip(ids, calls, strict=False)]
        if not partial:
            return self._write(calls, options, ids=given) if calls else []
        answer = []
        for call, job_id in zip(calls, given, strict=True):
            try:
                answer += self._write([call], options, ids=[job_id])
            except (QueueFull, DuplicateJob):
                answer.append(0)
        return answer

    def _write(self, calls: Sequence[Arguments], options: Options, *, ids: Sequence[int]) -> list[int]:
        self._refuse_options(options)
        if self.life.closing:
            raise refusals.closed(self.definition.id)
        drafted = self._drafts(calls, options, ids)
        patient = (
            self.definition.overflow == "wait" and transactions.open_block(self.home.journal.database) is None
        )
        try:
            self.size.take(len(drafted), patient=patient)
        except QueueFull:
            self.life.count_refusal(len(drafted))
            raise
        database = self.home.journal.database
        if self.announcer.events.add is not None:
            # From before the commit on: the clerk may see the row before this thread goes on.
            self.uncommitted.update({draft.job_id: threading.get_ident() for draft in drafted})
        try:
            for _ in range(TRIES):
                if drafts.write(database, drafted):
                    break
                drafted = self._once_more(database, drafted)
            else:
                raise BadJobId(f'The ids of {TRIES} tries to add a job to "{self.definition.id}" were taken.')
        except BaseException:
            for draft in drafted:
                self.uncommitted.pop(draft.job_id, None)
            self.size.give_back(len(drafted))
            self.life.count_refusal(len(drafted))
            raise
        self._follow([draft.job_id for draft in drafted], options)
        return [draft.job_id for draft in drafted]

    def _refuse_options(self, options: Options) -> None:
        database = self.home.journal.database
        if not options.on_commit:
            raise ValueError(
                f'"{self.definition.id}" is durable: its jobs are written in the transaction that adds them, '
                "and on_commit=False can't be kept."
            )
        if options.database not in (None, database):
            raise ValueError(
                f'"{self.definition.id}" is durable, and its jobs are written to the database "{database}" '
                f'(YAO_TASKS["DATABASE"]): they can\'t belong to a transaction of "{options.database}".'
            )

    def _drafts(self, calls: Sequence[Arguments], options: Options, ids: Sequence[int]) -> list[Draft]:
        task, now, carried = self.definition.id, wall(), self._carried()
        due_at, expires_at = self._moments(options)
        written = []
        for (args, kwargs), given in zip(calls, ids, strict=True):
            text = strict.encoded(args, kwargs)
            flow, step = (None, None) if options.members is None else next(options.members)
            written.append(
                Draft(
                    task=task,
                    job_id=given or self.make_or_take_id(),
                    args=text,
                    added_at=now,
                    priority=options.priority,
                    timeout=options.timeout,
                    unique_key=self.unique_key(args, kwargs, options),
                    carried=carried,
                    due_at=due_at,
                    expires_at=expires_at,
                    flow=flow,
                    step=step,
                )
            )
        # Always in one order, so that two transactions don't wait for each other's keys.
        return (
            sorted(written, key=lambda draft: draft.unique_key or "") if self._is_unique(options) else written
        )

    def _is_unique(self, options: Options) -> bool:
        return self.definition.unique or options.unique is not None

    def unique_key(self, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> str | None:
        """What no other live job of the task may have, as its column holds it."""
        key = key_of(args, kwargs, options, unique=self.definition.unique)
        return None if key is None else hashlib.sha256(key.encode()).hexdigest()

    def _carried(self) -> str:
        if not self.home.carriers or self.home.children is None:
            return ""
        return strict.encoded((), self.home.children.carried())

    def _moments(self, options: Options) -> tuple[float | None, float | None]:
        """When it is due, and when it expires: by the database's clock, which is asked only where that matters."""
        wait = seconds_until(options.run_after)
        if wait <= 0 and options.expires is None:
            return None, None
        now = dialects.now(connections[self.home.journal.database])
        return now + wait if wait > 0 else None, None if options.expires is None else now + options.expires

    def _once_more(self, database: str, drafted: Sequence[Draft]) -> list[Draft]:
        """What to try after a clash: other ids. Raises DuplicateJob, BadJobId where that is no cure."""
        task, fresh = self.definition.id, []
        keys = [draft.unique_key for draft in drafted if draft.unique_key is not None]
        for draft in drafted:
            if draft.unique_key is not None:
                twin = drafts.twin(database, task, draft.unique_key)
                twin = twin or (draft.job_id if keys.count(draft.unique_key) > 1 else None)
                if twin is not None:
                    raise refusals.duplicate(task, twin)
            job_id = draft.job_id
            if self.home.journal.is_known(task, job_id):
                if self.make_id is not None:
                    raise BadJobId(
                        f'Job {job_id} of "{task}" exists already. Let event.next return a new id each time.'
                    )
                self.home.ids.leave_block(job_id)
                job_id = self.home.ids.next()
            fresh.append(Draft(**{**_fields(draft), "job_id": job_id}))
        return fresh

    def _follow(self, ids: Sequence[int], options: Options) -> None:
        """What comes after the commit, and what is remembered until then."""
        holder = threading.get_ident()
        block = transactions.open_block(self.home.journal.database)
        if block is None:
            self._come_in(ids, options)
            return
        self.uncommitted.update(dict.fromkeys(ids, holder))
        transactions.hold(bind(self._come_in, ids, options), ids, block, self.rolled_back)

    def let_in(self, job_id: int, due_at: float | None) -> None:
        """A workflow has added a job, as `Claimant.let_in` says."""
        wait = 0.0 if due_at is None else max(0.0, due_at - self.home.journal.clerk.chores.now())
        options = replace(DEFAULTS, run_after=wait)
        if self.announcer.events.add is None:
            self._come_in([job_id], options)
            return
        # Nobody's thread: it is told by the pool's own, and waits for that in this process.
        self.uncommitted[job_id] = 0
        self.announcer.let_in(self._shadow(job_id), bind(self._come_in, [job_id], options))

    def _come_in(self, ids: Sequence[int], options: Options) -> None:
        self.added += len(ids)
        self.counted_at = float("-inf")
        for job_id in ids:
            if self.announcer.events.add is not None:
                self._tell_added(job_id)
            else:
                self.uncommitted.pop(job_id, None)
        wait = seconds_until(options.run_after)
        if wait > 0:
            self.home.clock.at(self.monotonic() + wait, bind(self.wake_workers, ids))
        else:
            self.wake_workers(ids)

    def _tell_added(self, job_id: int) -> None:
        """Tell `event.add`, in the adder's thread. In another process the job may run by now; in this one it waits."""
        self.adding[job_id] = threading.get_ident()
        self.uncommitted.pop(job_id, None)
        try:
            self.announcer.added(self._shadow(job_id))
        finally:
            with self._earlier:
                del self.adding[job_id]
                early = self.early.pop(job_id, None)
            if early is not None:
                self.offer(early)

    def _shadow(self, job_id: int) -> Job:
        """A job that this process doesn't run, as events see it."""
        return shadow(Job(job_id, (), {}, self.monotonic(), wall()))


def _fields(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in Draft.__slots__}
