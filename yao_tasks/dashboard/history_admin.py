"""The admin's list of recorded jobs, and the page of one: to look at, and to retry failures."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from yao_tasks import conf
from yao_tasks.dashboard.changelist import BoundedPaginator, History, KindFilter, Rows, TaskFilter
from yao_tasks.dashboard.names import OPERATE_JOBS, VIEW_JOB_ARGS, VIEW_JOBS
from yao_tasks.models import JobRecord

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[JobRecord]
else:
    _ModelAdmin = admin.ModelAdmin


class HistoryAdmin(_ModelAdmin):
    """Recorded jobs. For an admin site of one's own: `site.register(JobRecord, HistoryAdmin)`."""

    list_display = ("job", "task", "standing", "added_at", "took", "said")
    list_display_links = ("task",)
    list_filter = ("status", KindFilter, TaskFilter)
    list_per_page = 50
    date_hierarchy = "added_at"
    ordering = ("-added_at",)
    sortable_by = ("added_at",)
    search_fields = ("job_id",)
    search_help_text = _(
        "An id or a text. It is looked for in the newest jobs; error: and args: say where in them."
    )
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    actions = ("retry",)
    change_list_template = "yao_tasks/history/list.html"
    change_form_template = "yao_tasks/history/row.html"

    @property
    def database(self) -> str:
        """The alias of the database that has the rows."""
        return conf.current().database

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobRecord]:
        """The rows, as `Rows`."""
        return Rows(JobRecord, using=self.database)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[History]:
        """A list that doesn't count a million rows."""
        return History

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; after a search that looked at the newest rows only, with a link that leads further."""
        answer = super().changelist_view(request, extra_context)
        last = getattr(request, "yao_tasks_looked_until", None)
        if last is not None and isinstance(answer, TemplateResponse) and answer.context_data:
            changes = {"added_at__lt": last.isoformat(), "p": None}
            answer.context_data["further"] = answer.context_data["cl"].get_query_string(changes)
        return answer

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[JobRecord], search_term: str
    ) -> tuple[QuerySet[JobRecord], bool]:
        """What `history.find` finds."""
        from yao_tasks.dashboard import history

        if not search_term.strip():
            return queryset, False
        found, last = history.find(request, queryset, search_term)
        request.yao_tasks_looked_until = last  # type: ignore[attr-defined]
        return found, False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Those of the filters only: others would tell what is masked, a guess at a time."""
        return lookup.partition("__")[0] in ("status", "kind", "task", "added_at")

    # One row

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> JobRecord | None:
        """By its key, or by task and job, as in `mail/17`."""
        task, _, job_id = unquote(object_id).rpartition("/")
        rows = self.get_queryset(request).select_related("owner")
        number = int(job_id) if job_id.isascii() and job_id.isdigit() and len(job_id) <= 18 else 0
        return rows.filter(task=task, job_id=number).first() if task else rows.filter(pk=number).first()

    def get_fields(self, request: HttpRequest, obj: JobRecord | None = None) -> list[Any]:
        """What the user may see of a row."""
        fields: list[Any] = [
            "job",
            "task",
            "standing",
            "attempt",
            "added_at",
            "due_at",
            "started_at",
            "ended_at",
        ]
        fields += ["worker", "owner", "priority", "message_shown", "error_shown"]
        if request.user.has_perm(VIEW_JOB_ARGS):
            fields += ["arguments_shown", "result_shown"]
        return [*fields, "traceback_shown"] if request.user.has_perm(OPERATE_JOBS) else fields

    def get_readonly_fields(self, request: HttpRequest, obj: JobRecord | None = None) -> list[Any]:
        """All."""
        return self.get_fields(request, obj)

    @admin.display(description=_("job"))
    def job(self, row: JobRecord) -> str:
        """A link to the job's page."""
        from yao_tasks.dashboard.history import job_link

        return job_link(row, self.admin_site)

    @admin.display(description=_("status"))
    def standing(self, row: JobRecord) -> str:
        """How it stands, in a word."""
        from yao_tasks.dashboard.history import standing

        return standing(row)

    @admin.display(description=_("run"))
    def took(self, row: JobRecord) -> str:
        """How long its last run took."""
        from yao_tasks.dashboard.history import took

        return took(row) or self.get_empty_value_display()

    @admin.display(description=_("message"))
    def said(self, row: JobRecord) -> str:
        """What it said last."""
        from yao_tasks.dashboard.history import said_last

        return said_last(row)

    @admin.display(description=_("message"))
    def message_shown(self, row: JobRecord) -> str:
        """Its last message, secrets masked."""
        return self._shown(row, "message")

    @admin.display(description=_("error"))
    def error_shown(self, row: JobRecord) -> str:
        """Its error, secrets masked."""
        return self._shown(row, "error")

    @admin.display(description=_("arguments"))
    def arguments_shown(self, row: JobRecord) -> str:
        """Its arguments, secrets masked."""
        return self._shown(row, "arguments")

    @admin.display(description=_("result"))
    def result_shown(self, row: JobRecord) -> str:
        """Its result, secrets masked."""
        return self._shown(row, "result")

    @admin.display(description=_("traceback"))
    def traceback_shown(self, row: JobRecord) -> str:
        """The end of its traceback, secrets masked."""
        return format_html("<pre>{}</pre>", self._shown(row, "traceback"))

    def _shown(self, row: JobRecord, name: str) -> str:
        from yao_tasks.dashboard.history import shown

        return str(getattr(shown(row), name)) or self.get_empty_value_display()

    # Doing

    @admin.action(description=_("Retry the failures among these jobs"), permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[JobRecord]) -> None:
        """Run failed jobs again, under their ids."""
        from yao_tasks.dashboard import history

        level, sentence = history.retry(request, queryset)
        self.message_user(request, sentence, level)

    # Who may

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the user may steer."""
        return request.user.has_perms([VIEW_JOBS, OPERATE_JOBS])

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the list stands in the admin's index."""
        return request.user.has_perm(VIEW_JOBS)

    def has_view_permission(self, request: HttpRequest, obj: JobRecord | None = None) -> bool:
        """Whether the user may look."""
        return request.user.has_perm(VIEW_JOBS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: jobs are added to pools."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: JobRecord | None = None) -> bool:
        """Never: rows are written by jobs."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: JobRecord | None = None) -> bool:
        """Never here: the dashboard asks first, and leaves out what lives."""
        return False
