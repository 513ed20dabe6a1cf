"""Where a child's calls of pools are served: in the thread of its worker, inside its run.

A child that adds a job in a transaction of its own says later whether that was committed. One that dies has not
committed anything any more.
"""

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from yao_tasks.core.children.frames import BrokenFrame, Channel, Frame, encoded
from yao_tasks.core.log import logger
from yao_tasks.engines import wire
from yao_tasks.engines.base import Engine

# How often one who waits for a child looks whether that is still there (s).
LOOK = 0.25


class Elsewhere:
    """An open transaction of a child."""

    autocommit = False

    def __init__(self, task: str = "") -> None:
        self.task = task
        self.committed: list[Callable[[], None]] = []

    def on_commit(self, callback: Callable[[], None], /, robust: bool) -> None:
        """Keep it until the child tells."""
        self.committed.append(callback)


class PoolDesk:
    """The calls of one run."""

    def __init__(self, channel: Channel, engine_of: Callable[[str], Engine]) -> None:
        """`engine_of` finds a task's engine; raises TaskNotFound, ImproperlyConfigured."""
        self.channel = channel
        self.engine_of = engine_of
        self.is_open = True
        # By the number of the call that added them: transactions without an end yet, and their jobs.
        self._held: dict[int, tuple[Elsewhere, list[int]]] = {}
        # What `add_many` answered keeps its jobs findable while the handler runs.
        self._kept: list[list[int]] = []

    def take(self, frame: Frame) -> None:
        """Do what the child asks, and answer it. Raises BrokenFrame for what it can't ask."""
        match frame:
            case ["commit", int(number)]:
                self._commit(number)
            case ["rollback", int(number)]:
                self._drop(number)
            case ["call", int(number), "wait", str(task), list(values)]:
                self._wait(number, task, values)
            case ["call", int(number), str(verb), str(task), list(values)]:
                self._answer(number, lambda: self._do(number, verb, task, values))
            case _:
                raise BrokenFrame(f"a {frame[0]} of an unknown shape.")

    def _commit(self, number: int) -> None:
        block, ids = self._held.pop(number, (Elsewhere(), []))
        for callback in block.committed:
            try:
                callback()
            except Exception:  # noqa: BLE001 - as Django has it after a commit: who added it can't be told any more
                logger.exception(
                    "%s: jobs %s, which a process worker added in a transaction, could not be added after its commit. "
                    "They never were.",
                    block.task,
                    ids,
                    extra={"task": block.task, "job": ids[0] if ids else None, "attempt": None},
                )

    def close(self) -> None:
        """The run is over: what is still held was rolled back."""
        self.is_open = False
        for number in list(self._held):
            self._drop(number)
        self._kept.clear()

    def _drop(self, number: int) -> None:
        block, _ = self._held.pop(number, (Elsewhere(), []))
        # Each keeps its block alive: by itself it would go with a garbage collection only.
        block.committed.clear()

    def _answer(self, number: int, call: Callable[[], Any]) -> None:
        try:
            data = encoded(["answer", number, True, call()])
            if len(data) > self.channel.most:
                raise ValueError(
                    f"The answer has {len(data):,} bytes; a process worker takes {self.channel.most:,}."
                )
        except BrokenFrame:
            raise
        except BaseException as error:  # noqa: BLE001 - it is the child's to deal with, a SystemExit of an event too
            data = encoded(["answer", number, False, wire.exception_out(error)])
        self.channel.send_bytes(data)

    def _do(self, number: int, verb: str, task: str, values: list[Any]) -> Any:
        engine = self.engine_of(task)
        match verb, values:
            case "next_id", []:
                return engine.next_id()
            case "add", [list(args), dict(kwargs), dict(options), int(job_id), bool(held)]:
                call, chosen = (tuple(args), kwargs), wire.options_in(options)
                if held:
                    held_ids = self._hold(
                        number, task, lambda block: engine.hold([call], chosen, block, ids=[job_id])
                    )
                    return held_ids[0]
                return engine.add(*call, chosen, job_id or None)
            case "add_many", [list(calls), dict(options), bool(partial), bool(held)]:
                pairs, chosen = [(tuple(args), kwargs) for args, kwargs in calls], wire.options_in(options)
                if held:
                    return self._hold(
                        number, task, lambda block: engine.hold(pairs, chosen, block, partial=partial)
                    )
                self._kept.append(engine.add_many(pairs, chosen, partial=partial))
                return self._kept[-1]
            case "get", [job_id]:
                return wire.picture_out(engine.get(job_id))
            case "progress", [job_id, current, total, message]:
                return engine.progress(job_id, current, total, message)
            case "cancel", [job_id]:
                return engine.cancel(job_id)
        raise BrokenFrame(f"a call of {verb[:20]!r}, which there isn't, or not like this.")

    def _hold(self, number: int, task: str, add: Callable[[Elsewhere], list[int]]) -> list[int]:
        block = Elsewhere(task)
        ids = add(block)
        self._held[number] = (block, ids)
        self._kept.append(ids)
        return ids

    def _wait(self, number: int, task: str, values: list[Any]) -> None:
        """In a thread of its own: the worker's has to go on reading, and to see the child's end."""
        context = contextvars.copy_context()
        target = self._wait_and_answer
        threading.Thread(
            target=context.run,
            args=(target, number, task, values),
            name=f"yao_tasks-{task}-wait",
            daemon=True,
        ).start()

    def _wait_and_answer(self, number: int, task: str, values: list[Any]) -> None:
        try:
            self._answer(number, lambda: self._waited(task, *values))
        except OSError:  # it died meanwhile
            pass

    def _waited(self, task: str, job_id: int, timeout: float | None) -> Any:
        if any(job_id in ids for _, ids in list(self._held.values())):
            raise RuntimeError(
                f"Job {job_id} waits for this handler itself, to commit its transaction: wait for it after that."
            )
        engine, left = self.engine_of(task), timeout
        while self.is_open:
            step = LOOK if left is None else min(LOOK, left)
            try:
                return wire.picture_out(engine.wait(job_id, step))
            except TimeoutError as error:
                left = None if left is None else left - step
                if left is not None and left <= 0:
                    raise TimeoutError(
                        f'Job {job_id} of "{task}" has not ended within {timeout:g} s.'
                    ) from error
        raise RuntimeError("The run is over.")
