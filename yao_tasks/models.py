"""The permissions of the dashboard, and the model that brings it into the admin's index."""

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
