"""What a definition file says, checked and frozen.

The fields below are the table of keys: a feature that gets built loses its `built=`, nothing else changes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from yao_tasks.core import jsonc
from yao_tasks.core.faults import Code, Fault, shown
from yao_tasks.core.keys import Env, Place, key, keys_of, read_keys
from yao_tasks.core.kinds import (
    Kind,
    choice,
    dotted,
    flag,
    id_of_task,
    listing,
    milliseconds,
    number,
    readable,
    whole,
)

# Of a task that is recorded: the id is a column of its rows.
LONGEST_ID = 200
MOST_COROUTINES, MOST_OTHERS = 100_000, 1_000


def most_workers(worker_type: str) -> int:
    """How many workers a pool may have."""
    return MOST_COROUTINES if worker_type == "async" else MOST_OTHERS


_EVENT = dotted("the dotted path of a callable, or a registered name")
_EXCEPTIONS = listing(dotted("the dotted path of an exception", example="accounts.errors.Refused"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Mapping[str, str]):
    """The callables that a task's `event` names, each None if there is none; as a mapping, those given."""

    next: str | None = field(default=None, metadata=key(_EVENT))
    add: str | None = field(default=None, metadata=key(_EVENT))
    success: str | None = field(default=None, metadata=key(_EVENT))
    error: str | None = field(default=None, metadata=key(_EVENT))
    progress: str | None = field(default=None, metadata=key(_EVENT))

    def __getitem__(self, name: str) -> str:
        if name in EVENTS and (value := getattr(self, name)) is not None:
            return str(value)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in EVENTS if getattr(self, name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


EVENTS = tuple(one.name for one in fields(Events))
_OBJECT = Kind(
    wanted=f"an object with any of the keys {', '.join(EVENTS)}",
    fits=lambda value: isinstance(value, dict),
    cast=dict,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition(Mapping[str, object]):
    """A task's definition file: attributes, and a mapping of the file's keys with defaults filled in.

    Attribute and mapping hold the same: `attempt_after` and `attempt_max_after`, milliseconds in the file,
    are float seconds here, as all durations are. Only `event` differs: an `Events` as an attribute, in the
    mapping a plain dict of those given. `id` (the task's) and `path` (the file) are no keys, and not in it.
    """

    id: str
    path: Path
    name: str = field(metadata=key(readable()))
    process: str = field(metadata=key(_EVENT))
    # Of threads and processes 1,000: see `most_workers`.
    worker_nums: int = field(metadata=key(whole(1, MOST_COROUTINES)))
    attempts: int = field(metadata=key(whole(0, 1_000)))
    attempt_after: float = field(metadata=key(milliseconds(0, 604_800_000)))
    timeout: float = field(metadata=key(number(0, 2_592_000, above=True)))
    size: int = field(metadata=key(whole(1, 10_000_000)))
    event: Events = field(default=Events(), metadata=key(_OBJECT, inner=Events))
    worker_type: str = field(
        default="auto",
        metadata=key(choice("auto", "thread", "async", "process")),
    )
    worker_max: int | None = field(default=None, metadata=key(whole(1, MOST_COROUTINES)))
    overflow: str = field(default="reject", metadata=key(choice("reject", "wait")))
    overflow_wait: float = field(default=5.0, metadata=key(number(0, 3_600)))
    backoff: str = field(default="fixed", metadata=key(choice("fixed", "exponential")))
    attempt_max_after: float = field(default=3_600.0, metadata=key(milliseconds(0, 604_800_000)))
    retry_on: tuple[str, ...] = field(default=(), metadata=key(_EXCEPTIONS))
    give_up_on: tuple[str, ...] = field(default=(), metadata=key(_EXCEPTIONS))
    retention: float | None = field(default=None, metadata=key(number(0, 86_400)))
    unique: bool = field(default=False, metadata=key(flag()))
    record: bool = field(default=False, metadata=key(flag()))
    durable: bool = field(default=False, metadata=key(flag()))
    formerly: tuple[str, ...] = field(default=(), metadata=key(listing(id_of_task())))
    engine: str | None = field(
        default=None,
        metadata=key(choice("embedded", "inline", "host", "celery"), built=["embedded", "inline"]),
    )

    @property
    def is_recorded(self) -> bool:
        """Whether its jobs are rows in the database, one way or the other."""
        return self.record or self.durable

    def __getitem__(self, name: str) -> object:
        if name not in KEYS:
            raise KeyError(name)
        return dict(self.event) if name == "event" else getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(KEYS)

    def __len__(self) -> int:
        return len(KEYS)


KEYS = keys_of(Definition)


def too_many(values: Mapping[str, object], place: Place) -> Iterator[Fault]:
    """What is wrong with the numbers of workers that are no coroutines."""
    for name in ("worker_nums", "worker_max"):
        number = values.get(name)
        if isinstance(number, int) and number > MOST_OTHERS:
            hint = f"Give {whole(1, MOST_OTHERS).wanted}; only coroutines may be more."
            yield place.fault(Code.WRONG_VALUE, f"{place.name(name)} is {shown(number)}.", hint)


def read(text: str, path: Path, task_id: str, env: Env) -> tuple[Definition | None, list[Fault]]:
    """Return the definition that `text` holds, or None and all that is wrong with it. Never raises.

    `path` is for messages, and its extension decides: `.json` is strict, all else may have comments and
    trailing commas. `env` answers `"$ENV.NAME"` (see `core.keys.Env`).
    """
    place = Place(where=str(path), task=task_id, path=path, env=env)
    try:
        data = jsonc.loads(text, relaxed=path.suffix != ".json")
    except jsonc.JSONSyntaxError as error:
        said = f"line {error.line}, column {error.column}: {error.reason}."
        return None, [place.fault(Code.SYNTAX, said, "Mend the JSON there.")]
    if not isinstance(data, dict):
        said = f"the file holds {shown(data)}."
        hint = 'Give one object, such as {"name": "Welcome mail", ...}, or keep the file elsewhere.'
        return None, [place.fault(Code.SYNTAX, said, hint)]
    return parse(data, path, task_id, env)


def parse(
    data: Mapping[str, object], path: Path, task_id: str, env: Env
) -> tuple[Definition | None, list[Fault]]:
    """Return the definition that `data` makes, or None and all that is wrong with it: `read` without JSON."""
    place = Place(where=str(path), task=task_id, path=path, env=env)
    values, faults = read_keys(KEYS, data, place)
    # What isn't built is not among the values, and its own rule is told all the same.
    low, high = values.get("worker_nums"), values.get("worker_max", data.get("worker_max"))
    if isinstance(low, int) and isinstance(high, int) and 0 < high < low:
        said = f'"worker_max" is {shown(high)}, less than "worker_nums" ({low}).'
        faults.append(place.fault(Code.WRONG_VALUE, said, "Give as many or more, or leave it out."))
    if values.get("worker_type") in ("thread", "process"):
        faults += too_many(values, place)
    if values.get("record") and len(task_id) > LONGEST_ID:
        said = f'"record" is true, and the task\'s id has {len(task_id)} characters.'
        faults.append(place.fault(Code.WRONG_VALUE, said, f"Give the file a name of {LONGEST_ID} at most."))
    return (None, faults) if faults else (Definition(id=task_id, path=path, **values), [])
