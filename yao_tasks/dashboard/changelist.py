"""The parts of the admin's list of recorded jobs that Django would ask the whole table for."""

from calendar import monthrange
from datetime import date
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from yao_tasks.dashboard.statuses import KINDS
from yao_tasks.journal.searching import tasks_of
from yao_tasks.models import JobRecord, JobStatus

if TYPE_CHECKING:
    _Paginator = Paginator[JobRecord]
    _Rows = QuerySet[JobRecord]
else:
    _Paginator = Paginator
    _Rows = QuerySet

# So many are counted, and can be leafed through: some milliseconds.
COUNTED = 10_000
DATE = "added_at"
# What no list shows: the database needn't send it.
LARGE = ("result", "traceback", "runs", "carried")


class BoundedPaginator(_Paginator):
    """Counts so far and no further."""

    @cached_property
    def count(self) -> int:
        """How many there are, `COUNTED` at most."""
        rows: Any = self.object_list
        return int(rows.order_by()[:COUNTED].count())


class Rows(_Rows):
    """Rows whose date hierarchy is made of the first and the last day there is, whatever lies between."""

    chosen: tuple[int | None, int | None] = (None, None)
    """The year and the month that were chosen."""

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """For `first` and `last` of the hierarchy two looks into an index; anything else as ever."""
        if set(kwargs) != {"first", "last"} or args:
            return super().aggregate(*args, **kwargs)
        first, last = self._bounds()
        return {"first": first, "last": last}

    def datetimes(self, field_name: str, kind: str, *args: Any, **kwargs: Any) -> Any:
        """The years, months of the chosen year or days of the chosen month between the first and the last row."""
        bounds = [timezone.localtime(one) if timezone.is_aware(one) else one for one in self._bounds() if one]
        if not bounds:
            return []
        first, last = (one.date() for one in bounds)
        year, month = self.chosen[0] or last.year, self.chosen[1] or last.month
        if kind == "year":
            return [date(one, 1, 1) for one in range(first.year, last.year + 1)]
        if kind == "month":
            months = [date(year, one, 1) for one in range(1, 13)]
            return [one for one in months if first.replace(day=1) <= one <= last]
        days = [date(year, month, one) for one in range(1, 1 + monthrange(year, month)[1])]
        return [one for one in days if first <= one <= last]

    def _bounds(self) -> tuple[Any, Any]:
        moments = self.model._default_manager.using(self.db).values_list(DATE, flat=True)
        return moments.order_by(DATE).first(), moments.order_by(f"-{DATE}").first()


class History(ChangeList):
    """The list: tells its rows which year and month were chosen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = self.queryset
        if isinstance(rows, Rows):
            rows.chosen = self._chosen()

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[JobRecord]:
        """What fits, without what is large."""
        return super().get_queryset(*args, **kwargs).defer(*LARGE)

    def get_ordering(self, *args: Any, **kwargs: Any) -> list[Any]:
        """As ever, without the key at the end: no index has it, and all jobs of one moment would be sorted by it."""
        found = [one for one in super().get_ordering(*args, **kwargs) if one not in ("pk", "-pk")]
        return found or [f"-{DATE}"]

    @property
    def is_counted_in_part(self) -> bool:
        """Whether there are more than were counted."""
        return self.result_count >= COUNTED

    def _chosen(self) -> tuple[int | None, int | None]:
        """Year and month. IncorrectLookupParameters for a date that there is not."""
        parts = [self.params.get(f"{DATE}__{part}") for part in ("year", "month", "day")]
        try:
            year, month, day = (None if part is None else int(str(part)) for part in parts)
            date(year or 2000, month or 1, day or 1)
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error
        return year, month


class TaskFilter(admin.SimpleListFilter):
    """By task: those that have rows."""

    title = _("task")
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Each task with rows."""
        return [(task, task) for task in tasks_of(model_admin.database)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobRecord]) -> QuerySet[JobRecord]:
        """The rows of the task that was chosen."""
        return queryset.filter(task=self.value()) if self.value() else queryset


class KindFilter(admin.SimpleListFilter):
    """By kind of failure."""

    title = _("kind of failure")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Each kind."""
        return [(kind, str(word)) for kind, word in KINDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobRecord]) -> QuerySet[JobRecord]:
        """The failures of the kind that was chosen."""
        # With their status, by which there is an index.
        return queryset.filter(status=JobStatus.FAILURE, kind=self.value()) if self.value() else queryset
