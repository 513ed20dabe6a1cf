"""Pools as a handler in a process of its own sees them: what it may ask is done by the process it belongs to."""

from collections.abc import Sequence
from typing import Any, NoReturn

from yao_tasks.core import strict
from yao_tasks.core.children.link import Link
from yao_tasks.core.current import current_job
from yao_tasks.core.jobs import JobInfo
from yao_tasks.engines import transactions, wire
from yao_tasks.engines.base import DEFAULTS, Arguments, Options


class ForwardedEngine:
    """One task's pool, in the parent. Has `add`, `add_many`, `get`, `wait`, `progress`, `cancel`, nothing else."""

    supports = frozenset({"add", "add_many", "cancel", "get", "progress", "wait"})
    # It asks another process.
    may_block = True
    asks_database = True

    def __init__(self, task: str, link: Link) -> None:
        self.task = task
        self.link = link

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(
            f'"{name}" of "{self.task}" isn\'t available inside a process worker: a handler there has '
            f"{', '.join(sorted(self.supports))}. Call it where the pool lives, or give the task threads."
        )

    def next_id(self) -> int:
        """As `Engine.next_id`."""
        return int(self._ask("next_id"))

    def add(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options = DEFAULTS,
        job_id: int | None = None,
    ) -> int:
        """As `Engine.add`. The arguments are strict JSON: they leave this process, whatever the task's workers are."""
        plain, named = strict.copied(args, kwargs)
        return self._add("add", [plain, named, wire.options_out(options), job_id or 0], options)  # type: ignore[no-any-return]

    def add_many(self, calls: Sequence[Arguments], options: Options, *, partial: bool) -> list[int]:
        """As `Engine.add_many`."""
        plain = [strict.copied(*call) for call in calls]
        return self._add("add_many", [plain, wire.options_out(options), partial], options)  # type: ignore[no-any-return]

    def get(self, job_id: int) -> JobInfo:
        """As `Engine.get`. Of a task with threads, what isn't JSON comes as its repr."""
        return wire.picture_in(self._ask("get", job_id))

    def wait(self, job_id: int, timeout: float | None) -> JobInfo:
        """As `Engine.wait`."""
        return wire.picture_in(self._ask("wait", job_id, timeout))

    def progress(self, job_id: int, current: float, total: float, message: str) -> None:
        """As `Engine.progress`."""
        inside = current_job()
        if inside is not None and inside.id == job_id and inside.task == self.task:
            inside.progress(current, total, message)
        else:
            self._ask("progress", job_id, current, total, message)

    def cancel(self, job_id: int) -> bool:
        """As `Engine.cancel`."""
        return bool(self._ask("cancel", job_id))

    def _add(self, verb: str, values: list[Any], options: Options) -> Any:
        block = transactions.open_block(options.database) if options.on_commit else None
        number = self.link.next_number()
        answer = self._ask(verb, *values, block is not None, number=number)
        if block is not None:
            transactions.hold(_Told(self.link, number), [number], block, self.link.dropped)
        return answer

    def _ask(self, verb: str, *values: Any, number: int | None = None) -> Any:
        self.link.tell_dropped()
        done, value = self.link.ask(["call", verb, self.task, list(values)], number)
        if done:
            return value
        raise wire.exception_in(value)


class _Told:
    def __init__(self, link: Link, number: int) -> None:
        self.link = link
        self.number = number

    def __call__(self) -> None:
        self.link.tell(["commit", self.number])


class Engines(dict[str, Any]):
    """The pools of all tasks, as a child sees them."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link

    def __missing__(self, task: str) -> ForwardedEngine:
        engine = self[task] = ForwardedEngine(task, self.link)
        return engine
