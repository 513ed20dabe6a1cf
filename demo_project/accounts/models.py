"""What the site keeps: of mails when their jobs are long forgotten, of uploads, and of lists that were imported."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class WelcomeMail(models.Model):
    """The welcome mail of one user, and how it went. Written by the sign-up and by the events of its job."""

    class Status(models.TextChoices):
        """The words of the job, and one for the job that never was."""

        WAITING = "WAITING", _("waiting")
        SUCCESS = "SUCCESS", _("sent")
        FAILURE = "FAILURE", _("failed")
        REFUSED = "REFUSED", _("not queued")

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("user"))
    job_id = models.BigIntegerField(_("job"), null=True, db_index=True)
    status = models.CharField(_("status"), max_length=7, choices=Status, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)

    class Meta:
        """Newest first."""

        ordering = ("-pk",)
        verbose_name = _("welcome mail")
        verbose_name_plural = _("welcome mails")

    def __str__(self) -> str:
        return gettext("Welcome mail of %(user)s") % {"user": self.user}

    def as_job(self) -> dict[str, Any]:
        """What this row knows, in the six fields in which a task's `get` answers."""
        sent = self.status == self.Status.SUCCESS
        return {
            "id": self.job_id,
            "status": self.status,
            "current": int(sent),
            "total": 1,
            "message": "",
            "response": None,
        }


class Upload(models.Model):
    """What somebody has sent, and the job that works on it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("user"))
    task = models.CharField(_("task"), max_length=100)
    job_id = models.BigIntegerField(_("job"))
    name = models.CharField(_("name"), max_length=200)
    folder = models.CharField(_("folder"), max_length=100)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        """Newest first."""

        ordering = ("-pk",)
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """Somebody of a list that was imported."""

    name = models.CharField(_("name"), max_length=200)
    email = models.EmailField(_("e-mail address"), unique=True)

    class Meta:
        """By name."""

        ordering = ("name",)
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")

    def __str__(self) -> str:
        return self.name
