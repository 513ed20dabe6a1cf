"""What a process that works durable jobs has to do beside."""

from typing import Protocol

from django.db.backends.base.base import BaseDatabaseWrapper


class Chores(Protocol):
    """What else the clerk does with its connection, in its thread. Each raises django.db.Error."""

    def begin(self, connection: BaseDatabaseWrapper) -> int:
        """This process works from now on. Answers the key of its row."""

    def now(self) -> float:
        """Seconds since 1970, by the database's clock as it was last asked."""

    def look(self, connection: BaseDatabaseWrapper) -> None:
        """Called every POLL_INTERVAL: leases, sweeps, pauses, each when it is due."""

    def wrote(self, ended: int) -> None:
        """So many jobs have ended, by what was committed just now."""

    def end(self, connection: BaseDatabaseWrapper) -> None:
        """This process works no longer."""
