"""Connections to PostgreSQL: cut, left in a state, and closed before a test database is deleted.

The server is that of PGHOST, PGPORT, PGUSER and PGDATABASE, by default 127.0.0.1, 5432, postgres and test.
"""

import asyncio
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connections, transaction
from django.db.backends.signals import connection_created

from tests.conftest import SECONDS, Site, until
from tests.faults.conftest import Project

CONNECT = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ.get("PGHOST", "127.0.0.1"),
    "PORT": os.environ.get("PGPORT", "5432"),
    "USER": os.environ.get("PGUSER", "postgres"),
    "NAME": os.environ.get("PGDATABASE", "test"),
}
NAMED = {"application_name": "yao_tasks"}
ROLE = f"yao_tasks_{os.getpid()}"
TABLE = f"yao_tasks_rows_{os.getpid()}"


def missing() -> str:
    """Why the server can't be used; empty if it can."""
    try:
        import psycopg

        psycopg.connect(
            host=CONNECT["HOST"],
            port=CONNECT["PORT"],
            user=CONNECT["USER"],
            dbname=CONNECT["NAME"],
            connect_timeout=5,
        ).close()
    except Exception as error:
        return f"no PostgreSQL at {CONNECT['HOST']}:{CONNECT['PORT']}: {error}"
    return ""


@pytest.fixture(scope="module")
def server() -> None:
    """A server to connect to. Where there is none, the rows are skipped; in CI they fail."""
    why = missing()
    if why and os.environ.get("CI"):
        pytest.fail(why)
    elif why:
        pytest.skip(why)


class Postgres:
    """The alias `pg`, in this process, and a connection that looks from outside."""

    def __init__(self) -> None:
        # Held, so that no collection closes what a worker should have closed.
        self.opened: list[Any] = []
        connection_created.connect(self._note)
        self.outside = connections.create_connection("pg")
        self.sql(f"CREATE TABLE {TABLE} (job bigint, who text)")

        # What a fault left locked must not hang the test.
        self.sql("SET lock_timeout = 3000")

    def sql(self, text: str, *values: object) -> list[Any]:
        with self.outside.cursor() as cursor:
            cursor.execute(text, values)
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> list[Any]:
        return self.sql(f"SELECT who FROM {TABLE} ORDER BY who")

    def _note(self, connection: Any, **_: object) -> None:
        if connection.alias == "pg":
            self.opened.append(connection.connection)

    def close(self) -> None:
        connection_created.disconnect(self._note)
        for connection in self.opened[1:]:
            connection.close()
        others = "FROM pg_stat_activity WHERE application_name = 'yao_tasks' AND pid <> pg_backend_pid()"
        self.sql(f"SELECT pg_terminate_backend(pid) {others}")
        self.sql(f"DROP TABLE {TABLE}")
        self.outside.close()


@pytest.fixture(params=["closed after use", "kept", "kept and looked at"])
def pg(request: pytest.FixtureRequest, server: None, django_db_blocker: Any) -> Iterator[Postgres]:
    """PostgreSQL beside the tests' own databases, whose CONN_MAX_AGE counts for requests only."""
    options = {
        "closed after use": {},
        "kept": {"CONN_MAX_AGE": None},
        "kept and looked at": {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True},
    }[request.param]
    with django_db_blocker.unblock():
        known = connections.settings
        known["pg"] = connections.configure_settings(
            {"default": {}, "pg": {**CONNECT, "OPTIONS": NAMED, **options}}
        )["pg"]
        postgres = Postgres()
        yield postgres
        postgres.close()
        connections["pg"].close()
        del connections["pg"]
        del known["pg"]


def write(who: str) -> int:
    """Write a row as a handler does. Answers the server's pid of this connection."""
    with connections["pg"].cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} VALUES (1, %s)", [who])
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def backends(pg: Postgres, pids: set[int]) -> set[int]:
    """Which of these connections the server still has."""
    return {pid for [pid] in pg.sql("SELECT pid FROM pg_stat_activity") if pid in pids}


@pytest.mark.slow
def test_jobs_succeed_after_all_connections_were_cut(site: Site, pg: Postgres) -> None:
    """F11."""
    barrier = threading.Barrier(4)

    def handler(job_id: int, who: str) -> int:
        if who == "before":
            barrier.wait(SECONDS)
        return write(who)

    pool = site.task("job", handler, worker_nums=4)
    before = [pool.wait(job_id, SECONDS) for job_id in pool.add_many([("before",)] * 4)]
    assert {info.status for info in before} == {"SUCCESS"}
    pg.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid = ANY(%s)",
        [info.response for info in before],
    )
    until(lambda: not backends(pg, {info.response for info in before}), "them to be cut")

    after = [pool.wait(job_id, SECONDS) for job_id in pool.add_many([("after",)] * 30)]

    assert [info.status for info in after] == ["SUCCESS"] * 30, {info.response for info in after}
    assert len(pg.rows()) == 34


def leave_a_block(role: str) -> None:
    transaction.atomic(using="pg").__enter__()


def leave_autocommit_off(role: str) -> None:
    transaction.set_autocommit(False, using="pg")


def leave_a_plain_begin(role: str) -> None:
    with connections["pg"].cursor() as cursor:
        cursor.execute("BEGIN")


def leave_a_failed_one(role: str) -> None:
    transaction.set_autocommit(False, using="pg")
    try:
        with connections["pg"].cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
    except DatabaseError:
        pass


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(
    "leave",
    [
        leave_a_block,
        leave_autocommit_off,
        leave_a_failed_one,
        leave_a_plain_begin,
    ],
)
def test_a_transaction_that_a_handler_leaves_is_no_matter_of_the_next(
    site: Site, pg: Postgres, caplog: pytest.LogCaptureFixture, leave: Any, *, fails: bool
) -> None:
    """F12."""

    def handler(job_id: int, who: str) -> int:
        if who == "A":
            with connections["pg"].cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pids.add(cursor.fetchone()[0])
            leave(ROLE)
            if fails:
                raise ValueError
            return 0
        return write(who)

    pids: set[int] = set()
    pool = site.task("leaves", handler, worker_nums=1)
    pool.wait(pool.add("A"), SECONDS)

    info = pool.wait(pool.add("B"), SECONDS)

    assert (info.status, pg.rows()) == ("SUCCESS", [("B",)])
    assert not backends(pg, pids)
    [line] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert line.task == "leaves"  # type: ignore[attr-defined]
    assert line.getMessage().startswith('leaves: a job left the database connection "pg"')


def test_a_role_that_a_handler_takes_is_not_that_of_the_next(site: Site, pg: Postgres) -> None:
    """F12."""
    pg.sql(f"CREATE ROLE {ROLE}")

    def handler(job_id: int, who: str) -> str:
        with connections["pg"].cursor() as cursor:
            if who == "A":
                cursor.execute(f"SET ROLE {ROLE}")
            cursor.execute("SELECT current_user")
            user = str(cursor.fetchone()[0])
        if who == "B":
            write(who)
        return user

    pool = site.task("job", handler, worker_nums=1)
    try:
        assert pool.wait(pool.add("A"), SECONDS).response == ROLE

        info = pool.wait(pool.add("B"), SECONDS)

        assert (info.status, info.response) == ("SUCCESS", CONNECT["USER"])
        assert pg.rows() == [("B",)]
    finally:
        pool.close()
        pg.sql(f"DROP ROLE {ROLE}")


def test_a_worker_keeps_no_connection(site: Site, pg: Postgres) -> None:
    """F12."""
    pool = site.task("job", lambda job_id: write("A"), worker_nums=1)

    pool.wait(pool.add(), SECONDS)

    assert len(pg.opened) == 2
    until(lambda: pg.opened[1].closed, "it to be closed")
    assert pg.opened[1].closed


def test_no_connection_is_opened_by_jobs_that_use_none(site: Site, pg: Postgres) -> None:
    """F11, F12: what is tidied costs nothing where there is nothing."""
    pool = site.task("job", lambda job_id: [one.alias for one in connections.all(initialized_only=True)])

    assert [pool.wait(job_id, SECONDS).response for job_id in pool.add_many([()] * 5)] == [[]] * 5


TESTS = """
from django.contrib.auth.models import Group
from django.test import TransactionTestCase
from yao_tasks import tasks
from yao_tasks.testing import drained_tasks


class Signup(TransactionTestCase):
    def test_groups_are_made(self):
        with drained_tasks():
            ids = tasks["make"].add_many([(f"group {number}",) for number in range(20)])
        self.assertEqual(Group.objects.count(), 20)

    def test_a_job_that_nobody_waits_for(self):
        with drained_tasks():
            tasks["make"].using(run_after=0.05).add("late")
        self.assertEqual(Group.objects.count(), 1)

    @drained_tasks()
    def test_a_job_that_fails(self):
        tasks["make"].add(None)
"""

MAKE = """
import threading
from django.contrib.auth.models import Group


def make(job_id, name):
    Group.objects.create(name=name)
"""


@pytest.mark.slow
@pytest.mark.parametrize("age", ["0", "None"])
@pytest.mark.parametrize("seed", range(3))
def test_a_projects_own_tests_leave_no_connection_to_their_database(
    server: None, project: Project, age: str, seed: int
) -> None:
    """D9."""
    settings = project.folder / "settings.py"
    name = f"yao_tasks_d9_{os.getpid()}"
    database = {**CONNECT, "TEST": {"NAME": name}}
    settings.write_text(
        settings.read_text() + f"\nDATABASES = {{'default': {{**{database!r}, 'CONN_MAX_AGE': {age}}}}}\n"
    )
    (project.folder / "tests.py").write_text(TESTS)
    (project.folder / "make.py").write_text(MAKE)
    project.task("make", "make.make", worker_nums=4)

    process = project.start("test", "--noinput", "--shuffle", str(seed + 1), "-v", "2")
    out, errors = process.communicate(timeout=120)

    text = out + errors
    assert process.returncode == 0, text
    assert re.search(r"Ran 3 tests", text), text
    assert "being accessed by other users" not in text
    look = subprocess.run(
        [sys.executable, "-c", LEFT, name], capture_output=True, text=True, check=True, timeout=30
    )
    assert look.stdout.strip() == "0"


LEFT = f"""
import sys, psycopg
connection = psycopg.connect(host={CONNECT["HOST"]!r}, port={CONNECT["PORT"]!r}, user={CONNECT["USER"]!r},
                             dbname={CONNECT["NAME"]!r})
query = "SELECT count(*) FROM pg_database WHERE datname = %s"
print(connection.execute(query, [sys.argv[1]]).fetchone()[0])
"""


@pytest.mark.slow
def test_many_coroutines_open_few_connections_and_keep_none(site: Site, settings: Any, pg: Postgres) -> None:
    """Of 100 runs at once no two share a connection, and no more than ASYNC_THREADS are open."""
    settings.YAO_TASKS = {**settings.YAO_TASKS, "ASYNC_THREADS": 5}
    at_once: list[int] = []

    def look() -> None:
        at_once.append(sum(not one.closed for one in list(pg.opened)))

    async def handler(job_id: int) -> tuple[int, int]:
        first = await sync_to_async(write)(str(job_id))
        await asyncio.sleep(0.001)
        look()
        return first, await sync_to_async(write)(str(job_id))

    pool = site.task("job", handler, worker_nums=100, size=100)
    pids = [pool.wait(job_id, SECONDS).response for job_id in pool.add_many([()] * 100)]

    assert all(first == second for first, second in pids)
    # A connection each: closed after the run, whoever has the thread next opens another.
    assert len({first for first, _ in pids}) == 100
    # One of them looks from outside.
    assert max(at_once) <= 5 + 1
    until(lambda: not backends(pg, {first for first, _ in pids}), "them to be closed")


def test_a_coroutine_that_leaves_a_transaction_harms_nobody(
    site: Site, pg: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    """F12"""

    def leave() -> None:
        transaction.set_autocommit(False, using="pg")
        write("left")

    async def handler(job_id: int, what: str) -> None:
        await sync_to_async(leave if what == "leaves" else write)(*(() if what == "leaves" else (what,)))

    pool = site.task("job", handler, worker_nums=1)
    for what in ("leaves", "next"):
        assert pool.wait(pool.add(what), SECONDS).status == "SUCCESS"

    until(lambda: "left the database connection" in caplog.text, "the warning")
    assert [who for [who] in pg.rows()] == ["next"]
