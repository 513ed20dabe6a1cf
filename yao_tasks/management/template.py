"""The file that `manage.py tasks new` writes: every required key, each with a word on what it does."""

import json

_TEXT = """\
// The task "{task}": tasks["{task}"].add(…) adds a job, and a worker calls the handler with its id first.
{{
  // A label for people, and the handler: def handler(job_id, ...)
  "name": {name},
  "process": {process},

  "worker_nums": 4,          // most jobs of this task that run at once
  "size": 1000,              // most jobs that may wait beyond the free workers; then add raises QueueFull
  "timeout": 60,             // seconds one run may take, from its start
  "attempts": 3,             // retries after the first failure
  "attempt_after": 1000,     // milliseconds before a retry

  // Callables that are told what happens; leave out what isn't needed.
  "event": {{
    // "add": "{module}.on_add",           // (job_id)
    // "success": "{module}.on_success",   // (job_id, result)
    // "error": "{module}.on_error",       // (job_id, exception), after the last run
    // "progress": "{module}.on_progress", // (job_id, current, total, message)
  }},
}}
"""


def definition_text(task: str, process: str) -> str:
    """The text of a new definition, which is valid as it stands."""
    name = task.rpartition(".")[2].replace("_", " ").replace("-", " ").capitalize()
    module = process.rpartition(".")[0] or "accounts.jobs"
    quoted = {
        "name": json.dumps(name, ensure_ascii=False),
        "process": json.dumps(process, ensure_ascii=False),
    }
    return _TEXT.format(task=task, module=module, **quoted)
