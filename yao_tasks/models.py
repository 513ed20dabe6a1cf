"""The tables of the app: jobs as rows, the processes that write them, and what the dashboard's permissions hang on."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Dashboard(models.Model):  # noqa: DJ008 - there are no rows to show
    """The pages about jobs. It has no table: it is what the admin lists, and what permissions are tied to."""

    class Meta:
        managed = False
        verbose_name = _("jobs")
        verbose_name_plural = _("jobs")
        # None of Django's own: the group editor lists these three only.
        default_permissions = ()
        permissions = (
            ("view_jobs", _("Can look at tasks and jobs")),
            ("operate_jobs", _("Can steer tasks and jobs")),
            ("view_job_args", _("Can see what jobs were given and what they returned")),
        )


class JobOwner(models.Model):
    """A process that writes jobs: who it is, and how long it holds what it has claimed."""

    machine = models.CharField(_("machine"), max_length=64)
    """The machine's own id, the same until it is installed anew."""
    boot = models.CharField(_("boot"), max_length=64)
    """The id of its last start: all processes of another are dead."""
    pid_space = models.CharField(_("pid namespace"), max_length=32)
    """Pids mean something within it only: a container has its own."""
    pid = models.IntegerField(_("pid"))
    born = models.CharField(_("born"), max_length=32)
    """When the process was born, in the kernel's words: a later one with this pid has another."""
    host = models.CharField(_("host"), max_length=255)
    role = models.CharField(_("role"), max_length=16)
    """`server`, `runtasks` or `command`."""
    release = models.CharField(_("release"), max_length=100, blank=True)
    started_at = models.DateTimeField(_("started"))
    lock = models.CharField(_("lock file"), max_length=40, blank=True)
    """In STATE_DIR: locked for as long as the process lives. Empty: it holds no claims."""
    lease_until = models.DateTimeField(_("lease until"), null=True)
    """On the database's clock, for those who can't look whether the process lives; None: it holds no claims."""
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("process")
        verbose_name_plural = _("processes")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class JobStatus(models.IntegerChoices):
    """The four states that callers see, with the numbers of `JobInfo.status_code`."""

    WAITING = 1, _("Waiting")
    RUNNING = 2, _("Running")
    SUCCESS = 3, _("Succeeded")
    FAILURE = 4, _("Failed")


class JobRecord(models.Model):
    """One job: history, and for a durable one the truth. All JSON is text, which every database keeps as it is."""

    task = models.CharField(_("task"), max_length=200)
    job_id = models.BigIntegerField(_("job"))
    status = models.SmallIntegerField(_("status"), choices=JobStatus.choices)
    kind = models.CharField(_("kind of failure"), max_length=10, blank=True)
    """`raised`, `timeout`, `cancelled` or `lost`; empty for what is no failure."""
    durable = models.BooleanField(_("durable"), default=False)
    """Whether a process may claim it; else it is the picture of a job in somebody's memory."""
    args = models.TextField(_("arguments"))
    """JSON: `[positional, named]`."""
    priority = models.SmallIntegerField(_("priority"), default=0)
    timeout = models.FloatField(_("timeout"), null=True)
    """Seconds for one run, where the caller gave some of its own."""
    unique_key = models.CharField(_("unique key"), max_length=64, null=True)  # noqa: DJ001 - none isn't equal to none
    """Of a durable job that has not ended: no other of its task may have it."""
    key = models.CharField(_("key"), max_length=64, blank=True)
    """The same, for when it is tried again after its end."""
    carried = models.TextField(_("carried context"), blank=True)
    """JSON of what `CARRY_CONTEXT` names."""
    added_at = models.DateTimeField(_("added"))
    due_at = models.DateTimeField(_("due"), null=True)
    expires_at = models.DateTimeField(_("expires"), null=True)
    started_at = models.DateTimeField(_("started"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    attempt = models.IntegerField(_("attempt"), default=0)
    base = models.IntegerField(_("runs of earlier lives"), default=0)
    """A person had it tried again after so many runs."""
    worker = models.CharField(_("worker"), max_length=100, blank=True)
    current = models.FloatField(_("current"), default=0)
    total = models.FloatField(_("total"), default=0)
    message = models.CharField(_("message"), max_length=500, blank=True)
    result = models.TextField(_("result"), blank=True)
    """JSON; empty for a job that has not succeeded."""
    error_type = models.CharField(_("exception"), max_length=200, blank=True)
    error = models.TextField(_("error"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)
    runs = models.TextField(_("earlier runs"), blank=True)
    """JSON: the last runs before the current one, a list of objects."""
    owner = models.ForeignKey(
        JobOwner,
        verbose_name=_("process"),
        null=True,
        # Written by batches that mustn't look each one up, and kept after the process is forgotten.
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    token = models.BigIntegerField(_("token"), null=True)
    """Of the claim under which it runs: only who holds it may write the end."""
    crashes = models.SmallIntegerField(_("crashes"), default=0)
    """Processes that died while they ran it."""
    suspect = models.BooleanField(_("suspect"), default=False)
    """It may be what killed a process: it runs alone until it has shown that it isn't."""
    flow = models.BigIntegerField(_("workflow"), null=True)
    """Of a durable job: the workflow that it belongs to."""
    step = models.IntegerField(_("step"), null=True)
    """Which member of that it is, from 0; the callback comes after the last."""

    class Meta:
        verbose_name = _("recorded job")
        verbose_name_plural = _("recorded jobs")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["task", "job_id"], name="yao_tasks_job"),
            models.UniqueConstraint(fields=["task", "unique_key"], name="yao_tasks_unique_key"),
        )
        indexes = (
            models.Index(fields=["added_at"], name="yao_tasks_added"),
            # With the id: thousands may be added at one moment.
            models.Index(fields=["task", "added_at", "job_id"], name="yao_tasks_task_added"),
            models.Index(fields=["status", "added_at"], name="yao_tasks_status_added"),
            models.Index(fields=["ended_at"], name="yao_tasks_ended"),
            # What a claim asks for: the next of a task that wait.
            models.Index(fields=["status", "task", "-priority", "id"], name="yao_tasks_claim"),
            # Lists of a task's failures, say: those added last, perhaps of one kind, and those that ended last.
            models.Index(
                fields=["task", "status", "added_at", "job_id", "kind"], name="yao_tasks_list_added"
            ),
            models.Index(fields=["task", "status", "ended_at"], name="yao_tasks_list_ended"),
            models.Index(fields=["flow", "step"], name="yao_tasks_flow"),
        )

    def __str__(self) -> str:
        return f"{self.task} {self.job_id}"


class WorkflowRecord(models.Model):
    """A chain, group or batch of durable jobs."""

    flow_id = models.BigIntegerField(_("workflow"), unique=True)
    kind = models.CharField(_("kind"), max_length=10)
    """`chain`, `group` or `batch`."""
    state = models.SmallIntegerField(_("status"), choices=JobStatus.choices)
    """RUNNING from the first moment to the end."""
    total = models.IntegerField(_("jobs"))
    """Members, without the callback."""
    position = models.IntegerField(_("position"), default=0)
    """Of a chain: the step that was added last. Of the others: 1 once the callback was added."""
    succeeded = models.IntegerField(_("succeeded"), default=0)
    failed = models.IntegerField(_("failed"), default=0)
    steps = models.TextField(_("steps"))
    """JSON: what is added later, the steps of a chain or the callback alone; a list of objects."""
    result = models.TextField(_("result"), blank=True)
    """JSON; empty before the end, and for a failure."""
    error = models.TextField(_("error"), blank=True)
    """JSON: why it failed, the fields of a `JobError`."""
    added_at = models.DateTimeField(_("added"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")
        default_permissions = ()
        indexes = (
            models.Index(fields=["state", "flow_id"], name="yao_tasks_flow_status"),
            models.Index(fields=["ended_at"], name="yao_tasks_flow_ended"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.flow_id}"


class PausedTask(models.Model):
    """A durable task that starts no jobs, in whichever process."""

    task = models.CharField(_("task"), max_length=200, unique=True)
    paused_by = models.CharField(_("paused by"), max_length=150, blank=True)
    paused_at = models.DateTimeField(_("paused at"))

    class Meta:
        verbose_name = _("paused task")
        verbose_name_plural = _("paused tasks")
        default_permissions = ()

    def __str__(self) -> str:
        return self.task
