"""A long history, written by the database itself: what a million rows need of Python would take minutes."""

from datetime import timedelta

from django.db import connections
from django.utils import timezone

from yao_tasks.models import JobOwner, JobRecord

# One row in so many is a failure, of these by turns.
FAILURES = 20
SERIES = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT i FROM n)",
    "postgresql": "generate_series(0, {last})",
    "mysql": "(SELECT seq AS i FROM seq_0_to_{last})",
}


def long_history(alias: str, task: str, rows: int, *, days: float = 20, first_id: int = 1) -> None:
    """Write so many ended jobs of a task, spread over days until an hour ago; each twentieth has failed."""
    connection = connections[alias]
    owner = JobOwner.objects.using(alias).create(
        machine="other", boot="1", pid_space="1", pid=4711, born="1", host="vm", started_at=timezone.now()
    )
    table = connection.ops.quote_name(JobRecord._meta.db_table)
    begin = timezone.now() - timedelta(days=days, hours=1)
    step = days * 86_400 / rows
    added, ended = (
        _moment(connection.vendor, begin.strftime("%Y-%m-%d %H:%M:%S"), step, later) for later in (0, 1)
    )
    failed = f"i % {FAILURES} = 7"
    timed_out = f"i % {3 * FAILURES} = 7"
    columns = {
        "task": f"'{task}'",
        "job_id": f"{first_id} + i",
        "status": f"CASE WHEN {failed} THEN 4 ELSE 3 END",
        "kind": f"CASE WHEN {timed_out} THEN 'timeout' WHEN {failed} THEN 'raised' ELSE '' END",
        # With what all of them understand.
        "args": """REPLACE('[["ada@example.org",I],{"name":"Ada","language":"en"}]', 'I', CAST(i AS CHAR(9)))""",
        "added_at": added,
        "started_at": added,
        "ended_at": ended,
        "attempt": "1",
        "worker": f"'{task}-1'",
        "current": "10",
        "total": "10",
        "message": "'sent'",
        "result": f"CASE WHEN {failed} THEN '' ELSE '{{\"sent\":true}}' END",
        "error_type": f"CASE WHEN {failed} THEN 'smtplib.SMTPServerDisconnected' ELSE '' END",
        "error": f"CASE WHEN {failed} THEN 'the server closed the connection' ELSE '' END",
        "traceback": f"CASE WHEN {failed} THEN 'Traceback (most recent call last): here' ELSE '' END",
        "owner_id": str(owner.pk),
    }
    for field in JobRecord._meta.local_fields:
        if field.column not in columns and not field.null and not field.primary_key:
            columns[field.column] = repr(field.get_default())  # of texts, numbers and booleans SQL's, too
    names = ", ".join(connection.ops.quote_name(name) for name in columns)
    series = SERIES[connection.vendor].format(last=rows - 1)
    values = ", ".join(columns.values())
    named = "AS series(i)" if connection.vendor == "postgresql" else "AS series"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {series} {named}")


def _moment(vendor: str, begin: str, step: float, later: int) -> str:
    """When job `i` was added, or so many seconds later."""
    seconds = f"i * {step!r} + {later}"
    if vendor == "sqlite":
        return f"strftime('%Y-%m-%d %H:%M:%f', '{begin}', '+' || ({seconds}) || ' seconds')"
    if vendor == "postgresql":
        return f"TIMESTAMPTZ '{begin}+00' + ({seconds}) * INTERVAL '1 second'"
    return f"TIMESTAMP '{begin}' + INTERVAL ({seconds}) * 1000000 MICROSECOND"
