"""What runs in this process, a line a job: how far it is, for how long, and for how much longer."""

import unicodedata

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext

from yao_tasks import boot, loading
from yao_tasks.core.errors import TaskNotFound
from yao_tasks.core.faults import printable
from yao_tasks.core.jobs import JobInfo
from yao_tasks.dashboard.amounts import amount_of
from yao_tasks.dashboard.durations import duration
from yao_tasks.redaction import redaction_of

# More lines than these nobody reads.
MOST = 10
BAR = 16


def running_lines(columns: int, rows: int) -> list[str]:
    """The jobs that run here, by task; none wider than the terminal, and no more than fit into it."""
    house = boot.house()
    # One line for those that aren't named, and one for the rest of the screen.
    most = max(1, min(MOST, rows - 2))
    infos, count = house.running(most), house.count_running()
    lines = [line_of(info, _message(info)) for info in infos]
    if count > len(infos):
        lines.append(gettext("and %(count)d more") % {"count": count - len(infos)})
    # The last column stays free: some terminals go on to the next line with it.
    return [cut(line, columns - 1) for line in lines]


def line_of(info: JobInfo, message: str) -> str:
    """One job's line: `mail 7 [####------------] 5 of 20, 4 s, 12 s left: sending`."""
    bar = f" [{'#' * (BAR * info.percent // 100):-<{BAR}}]" if info.total > 0 else ""
    told = [amount_of(info)]
    if info.elapsed is not None:
        told.append(duration(info.elapsed))
    if info.eta:
        told.append(gettext("%(left)s left") % {"left": duration(info.eta)})
    numbers = ", ".join(part for part in told if part)
    return f"{info.task} {info.id}{bar} {numbers}{f': {message}' if message else ''}"


def cut(line: str, columns: int) -> str:
    """As much of the line as so many columns have room for."""
    width = 0
    for place, character in enumerate(line):
        width += _width(character)
        if width > columns:
            return line[:place]
    return line


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    # Of some, terminals decide themselves.
    return 2 if unicodedata.east_asian_width(character) in "WFA" else 1


def _message(info: JobInfo) -> str:
    """What the job said last, without its secrets, and without what a terminal would obey."""
    try:
        definition = loading.definition_of(info.task)
    except (TaskNotFound, ImproperlyConfigured):
        # Its file has gone, or changed for the worse; the job goes on.
        return ""
    return printable(redaction_of(definition).hider(info)(info.message))
