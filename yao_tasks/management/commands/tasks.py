"""`manage.py tasks`: the tasks of a project, and their recorded jobs, on the command line."""

import inspect
import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from yao_tasks.core.errors import TasksError
from yao_tasks.core.faults import printable
from yao_tasks.core.jobs import CODES
from yao_tasks.management import diagnosing, history, steering, verbs
from yao_tasks.management.answers import Answer, NotVisible, UsageError

RUN: dict[str, Callable[..., Answer]] = {
    "list": verbs.run_list,
    "new": verbs.run_new,
    "add": verbs.run_add,
    "check": diagnosing.run_check,
    "jobs": history.run_jobs,
    "get": history.run_get,
    "wait": history.run_wait,
    "cancel": history.run_cancel,
    "retry": history.run_retry,
    "prune": history.run_prune,
    "debug": diagnosing.run_debug,
    "pause": steering.run_pause,
    "resume": steering.run_resume,
    "resize": steering.run_resize,
    "metrics": steering.run_metrics,
}


class Command(BaseCommand):
    """Exit codes: 0 done, 1 the job failed, 2 bad usage, definition or path, 4 not visible from a command."""

    help = "Lists, checks and writes task definitions, adds jobs, and looks at recorded ones."
    # Faulty definitions are what `list` and `check` are there to show.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the verbs and their arguments."""
        verbs_ = parser.add_subparsers(dest="verb", required=True, metavar="|".join(RUN))
        made = {
            name: verbs_.add_parser(name, help=run.__doc__, description=run.__doc__)
            for name, run in RUN.items()
        }
        made["new"].add_argument("task", help='the task\'s id: "welcome_email" makes tasks/welcome_email.yao')
        made["new"].add_argument(
            "process", help="its handler: the dotted path of a callable, or a registered name"
        )
        _declare_add(made["add"])
        _declare_jobs(made["jobs"])
        for name in ("get", "wait", "cancel", "retry", "debug"):
            made[name].add_argument("task")
            made[name].add_argument("job", type=int, help="the job's id")
        made["wait"].add_argument("--timeout", type=float, help="seconds; without limit where none are given")
        _declare_prune(made["prune"])
        made["check"].add_argument(
            "--run",
            action="store_true",
            help="call health checks, and look at backlogs, failures and the machine",
        )
        for name in ("pause", "resume", "resize", "metrics"):
            made[name].add_argument("task")
        made["resize"].add_argument("worker_nums", type=int)
        for one in made.values():
            one.add_argument("--json", action="store_true", help="write JSON")

    def handle(self, *, verb: str, json: bool, **options: Any) -> None:
        """Run the verb; leave with its exit code unless that is 0."""
        wanted = {name: options[name] for name in inspect.signature(RUN[verb]).parameters}
        try:
            answer: Answer = RUN[verb](**wanted)
        except UsageError as error:
            raise CommandError(printable(error), returncode=2) from error
        except NotVisible as error:
            raise CommandError(printable(error), returncode=4) from error
        except TasksError as error:
            raise CommandError(printable(error), returncode=1) from error
        self._write(answer, as_json=json)
        if answer.code:
            sys.exit(answer.code)

    def _write(self, answer: Answer, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(answer.data, ensure_ascii=False, default=str))
        else:
            for line in answer.lines:
                self.stdout.write(printable(line))


def _declare_add(parser: ArgumentParser) -> None:
    parser.add_argument("task")
    # Django keeps `args` for itself.
    parser.add_argument("--args", dest="positional", default="[]", help="positional arguments, a JSON array")
    parser.add_argument("--kwargs", dest="named", default="{}", help="named arguments, a JSON object")
    parser.add_argument(
        "--wait", action="store_true", help="wait for a durable job's end; for one in memory it always does"
    )


def _declare_jobs(parser: ArgumentParser) -> None:
    parser.add_argument("task", nargs="?", help="only those of this task")
    parser.add_argument("--status", choices=CODES)
    parser.add_argument("--kind", help="of failures: raised, timeout, cancelled or lost")
    parser.add_argument("--text", help="part of the id, the message, the error or the arguments")
    parser.add_argument("--limit", type=int, default=50)


def _declare_prune(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--older-than", metavar="30d", help="rows whose jobs ended longer ago; s, m, h, d or w"
    )
    parser.add_argument(
        "--keep", type=int, metavar="N", help="so many ended jobs stay, those that ended last"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say how many rows would go")
