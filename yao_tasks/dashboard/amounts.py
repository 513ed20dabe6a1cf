"""How far a job is, in numbers as people read them: the same on the pages and in the lines of `runtasks`."""

from django.utils.translation import gettext

from yao_tasks.core.jobs import JobInfo


def amount_of(info: JobInfo) -> str:
    """How far the job is, in numbers: `3 of 10`; empty where nothing was reported."""
    if info.total > 0:
        return gettext("%(current)s of %(total)s") % {
            "current": _plain(info.current),
            "total": _plain(info.total),
        }
    return _plain(info.current) if info.current else ""


def _plain(number: float) -> str:
    # Handlers may report any number: none of them makes a column too wide.
    return f"{number:.0f}" if number == int(number) and abs(number) < 1e15 else f"{number:.6g}"
