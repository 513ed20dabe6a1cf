"""`manage.py tasks list|new|add|check`: the tasks of a project, on the command line."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from yao_tasks.core.errors import TasksError
from yao_tasks.core.faults import printable
from yao_tasks.management import verbs


class Command(BaseCommand):
    """Exit codes: 0 done, 1 the job failed, 2 bad usage, definition or path."""

    help = "Lists, checks and writes task definitions, and adds jobs."
    # Faulty definitions are what `list` and `check` are there to show.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the verbs and their arguments."""
        verbs_ = parser.add_subparsers(dest="verb", required=True, metavar="list|new|add|check")
        listing = verbs_.add_parser("list", help="all tasks, and what is wrong with them")
        new = verbs_.add_parser("new", help="write a commented definition file")
        new.add_argument("task", help='the task\'s id: "welcome_email" makes tasks/welcome_email.yao')
        new.add_argument("process", help="its handler: the dotted path of a callable, or a registered name")
        add = verbs_.add_parser("add", help="add a job; it runs in this process, which waits for it")
        add.add_argument("task")
        # Django keeps `args` for itself.
        add.add_argument("--args", dest="positional", default="[]", help="positional arguments, a JSON array")
        add.add_argument("--kwargs", dest="named", default="{}", help="named arguments, a JSON object")
        add.add_argument(
            "--wait", action="store_true", help="wait for the job's end (a job in memory is always)"
        )
        check = verbs_.add_parser("check", help="all that is wrong with settings, definitions and handlers")
        for one in (listing, new, add, check):
            one.add_argument("--json", action="store_true", help="write JSON")

    def handle(self, *, verb: str, json: bool, **options: Any) -> None:
        """Run the verb; leave with its exit code unless that is 0."""
        run: Callable[..., verbs.Answer] = getattr(verbs, f"run_{verb}")
        wanted = {name: options[name] for name in verbs.ARGUMENTS[verb]}
        try:
            answer = run(**wanted)
        except verbs.UsageError as error:
            raise CommandError(printable(error), returncode=2) from error
        except TasksError as error:
            raise CommandError(printable(error), returncode=1) from error
        self._write(answer, as_json=json)
        if answer.code:
            sys.exit(answer.code)

    def _write(self, answer: verbs.Answer, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(answer.data, ensure_ascii=False, default=str))
        else:
            for line in answer.lines:
                self.stdout.write(printable(line))
