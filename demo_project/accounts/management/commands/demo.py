"""`manage.py demo`: the whole site in one process, with something going on; `--check`: whether it works."""

import argparse
import secrets
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from demo_project import checking
from demo_project.bustle import Bustle


def port(text: str) -> int:
    """A TCP port, for argparse."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f'"{text}" is no port. Give a number from 1 to 65535.')
    return int(text)


def seconds(text: str) -> float:
    """A time to wait, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f'"{text}" is no time to wait. Give seconds, from 0 to 3600.')
    return value


class Command(BaseCommand):
    """Serves, or checks and leaves. Exit codes: 0 done, 1 the check failed, 2 usage."""

    help = (
        "Serve the demo with an admin account and some jobs under way. With --check: sign up 20 people at a "
        "temporary copy of the site, wait for their mails, print their jobs, and leave (1 if a mail is missing)."
    )
    requires_system_checks = ()  # runserver does them

    def add_arguments(self, parser: CommandParser) -> None:
        """One of `--port` and `--check`: the check finds a free port."""
        either = parser.add_mutually_exclusive_group()
        either.add_argument(
            "--port", type=port, default=8000, help="where to listen on 127.0.0.1 (default: 8000)"
        )
        either.add_argument("--check", action="store_true", help="try the site without a person, and leave")
        parser.add_argument(
            "--wait", type=seconds, default=60.0, help="with --check: seconds for the mails (default: 60)"
        )

    def handle(self, *, check: bool, port: int, wait: float, **_: Any) -> None:
        """Do the one or the other."""
        if check:
            self._check(wait)
        else:
            self._serve(port)

    def _check(self, wait: float) -> None:
        try:
            checking.check(wait, say=self.stdout.write)
        except checking.CheckFailed as error:
            raise CommandError(str(error)) from error

    def _serve(self, port: int) -> None:
        call_command("migrate", verbosity=0)
        admin, password = make_admin()
        home = f"http://127.0.0.1:{port}/"
        self.stdout.write(
            f"\n  The site    {home}\n"
            f"  The admin   {home}admin/   user: {admin.get_username()}   password: {password}\n"
        )
        with Bustle(admin):
            call_command("runserver", f"127.0.0.1:{port}", use_reloader=False)


def make_admin() -> tuple[User, str]:
    """The superuser `admin` with a password that is new at each start."""
    password = secrets.token_urlsafe(9)
    admin, _ = User.objects.get_or_create(username="admin", defaults={"email": "admin@example.org"})
    admin.is_staff = admin.is_superuser = admin.is_active = True
    admin.set_password(password)
    admin.save()
    return admin, password
