"""What the verbs of `manage.py tasks` do: each answers with lines for people, data for programs, and a code."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from yao_tasks import callables, checks, conf, loading
from yao_tasks.core.definitions import Definition
from yao_tasks.core.errors import TaskNotFound
from yao_tasks.core.kinds import dotted, is_task_id
from yao_tasks.management.answers import Answer, UsageError, table
from yao_tasks.management.template import definition_text
from yao_tasks.pools import tasks


def run_list() -> Answer:
    """All tasks with what their definitions say, and what is wrong with them."""
    loaded = loading.loaded()
    rows = [_row(definition) for definition in loaded.definitions.values()]
    broken = [fault for fault in loaded.faults if fault.is_error]
    lines = (
        list(_listing(rows)) if rows else ["There are no tasks. `manage.py tasks new` writes a definition."]
    )
    lines += [f"! {fault}" for fault in broken]
    lines += [f"! {fault}" for row in rows for fault in row["faults"]]
    return Answer(lines=lines, data={"tasks": rows, "faults": [str(fault) for fault in broken]})


def run_check() -> Answer:
    """All that is wrong with settings, definitions and handlers."""
    found = checks.all_faults()
    data = [
        {"id": f"yao_tasks.{fault.code}", "task": fault.task, "text": fault.text, "hint": fault.hint}
        for fault in found
    ]
    lines = [f"yao_tasks.{fault.code}: {fault}" for fault in found]
    count = len(loading.loaded().definitions)
    lines.append(f"{count} definitions, {len(found) or 'no'} fault{'s' if len(found) != 1 else ''}.")
    return Answer(lines=lines, data=data, code=2 if any(fault.is_error for fault in found) else 0)


def run_new(task: str, process: str) -> Answer:
    """Write a commented definition file into the first folder of the project."""
    if not is_task_id(task) or task == "health":
        raise UsageError(f'"{task}" can\'t be a task id. Give letters, digits, _ and -; dots make folders.')
    if not dotted("").fits(process):
        raise UsageError(
            f'"{process}" is no name of a callable. Give its dotted path: accounts.jobs.send_welcome.'
        )
    path = _folder().joinpath(*task.split(".")).with_suffix(".yao")
    if task in loading.loaded().task_ids:
        raise UsageError(f'There is a task "{task}" already. Give another id, or change its file.')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Never over another file, nor through a link.
        with path.open("x", encoding="utf-8") as file:
            file.write(definition_text(task, process))
    except OSError as error:
        raise UsageError(f"{path}: can't be written ({error.strerror}).") from error
    return Answer(lines=[f"Wrote {path}."], data={"path": str(path), "task": task})


def run_add(task: str, positional: str, named: str, *, wait: bool) -> Answer:
    """Add a job: a durable one is written, any other runs in this process, which waits for its end."""
    args, kwargs = _json(positional, list, "--args", "[1]"), _json(named, dict, "--kwargs", '{"a": 1}')
    try:
        pool = tasks[task]
        job_id = pool.add(*args, **kwargs)
    except (TaskNotFound, ImproperlyConfigured) as error:
        raise UsageError(str(error)) from error
    if pool.config.durable and not wait:
        return Answer(lines=[str(job_id)], data={"id": job_id, "status": "WAITING"})
    info = pool.wait(job_id)
    data = {"id": job_id, "status": info.status, "attempt": info.attempt, "response": info.response}
    return Answer(
        lines=[str(job_id), f"{info.status} after run {info.attempt}: {info.response}"],
        data=data,
        code=0 if info.status == "SUCCESS" else 1,
    )


def _folder() -> Path:
    dirs = conf.current().dirs
    if dirs:
        return dirs[0]
    base = conf.base_dir()
    if base is None:
        raise UsageError('There is no folder for definitions. Set YAO_TASKS["DIRS"], or BASE_DIR.')
    return base / "tasks"


def _json(text: str, kind: type, option: str, example: str) -> Any:
    noun = "array" if kind is list else "object"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{option} is no JSON: {error}. Give an {noun}, such as '{example}'.") from error
    if not isinstance(value, kind):
        raise UsageError(f"{option} is {text}. Give a JSON {noun}, such as '{example}'.")
    return value


def _row(definition: Definition) -> dict[str, Any]:
    faults = [str(fault) for fault in callables.faults(definition)]
    more = {"path": str(definition.path), "faults": faults, "runs_as": callables.runs_as(definition)}
    return {"id": definition.id, **definition, **more}


def _listing(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    heads = ("id", "name", "worker_nums", "runs_as", "size", "timeout", "attempts", "process")
    return table(heads, (tuple(str(row[head]) for head in heads) for row in rows))
