"""`manage.py runtasks`: works in the foreground until it is told to leave."""

import sys
from argparse import ArgumentParser
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from yao_tasks import boot, checks, conf, loading
from yao_tasks.core.state import UnsafeStateDir, open_folder
from yao_tasks.foreground import Foreground
from yao_tasks.management.bottom import Above, Bottom, fits
from yao_tasks.management.running import running_lines


class Command(BaseCommand):
    """Exit codes: 0 drained, 1 a job was lost or cut short, 2 bad definition or unsafe path, 130 forced."""

    help = "Runs durable tasks in the foreground. SIGTERM, SIGINT and SIGHUP drain; a second hurries, a third leaves."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--drain-timeout",
            type=float,
            default=25.0,
            help="seconds that running jobs have to end after the first signal (default: 25)",
        )

    def handle(self, *, drain_timeout: float, verbosity: int, **_: Any) -> None:
        """Serve, then leave with the exit code. On a terminal the jobs that run stand at its bottom."""
        if not drain_timeout >= 0:
            raise CommandError(f"--drain-timeout is {drain_timeout:g}. Give 0 or more seconds.", returncode=2)
        self._refuse_faults()
        foreground = Foreground(drain_timeout, self._say)
        # Before the first line: who reads that may send a signal.
        foreground.listen()
        boot.serve("runtasks")
        self._say(f"yao_tasks: {len(loading.loaded().definitions)} tasks are loaded.")
        durable = loading.durable_tasks()
        if durable:
            self._say(f"Working the durable ones: {', '.join(durable)}.")
        else:
            self._say(
                'Nobody can add jobs to this process: give a task "durable": true, and it works the jobs of that. '
                "It waits for a signal to leave."
            )
        with self._lines(verbosity):
            code = foreground.run()
        sys.exit(code)

    def _lines(self, verbosity: int) -> AbstractContextManager[object]:
        terminal = cast("TextIO", self.stdout)
        if not verbosity or not fits(terminal):
            return nullcontext()
        bottom = Bottom(sys.stdout, running_lines)
        # What the command itself says goes above them, too.
        self.stdout = OutputWrapper(cast("TextIO", Above(bottom, sys.stdout)))
        return bottom

    def _refuse_faults(self) -> None:
        errors = [fault for fault in checks.all_faults() if fault.is_error]
        if errors:
            raise CommandError("\n".join(map(str, errors)), returncode=2)
        try:
            open_folder(conf.current().state_dir)
        except UnsafeStateDir as error:
            raise CommandError(str(error), returncode=2) from error

    def _say(self, line: str) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except OSError:
            # Whoever read it is gone: that ends no job.
            pass
