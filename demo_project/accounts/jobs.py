"""The handler and the events of `tasks/welcome_email.yao`: they run in a worker's thread, without a request."""

import time

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from demo_project.accounts.models import WelcomeMail
from yao_tasks import current_job

STEPS = 4


def send_welcome(job_id: int, user_id: int) -> dict[str, str]:
    """Send a new user their welcome mail. Raises what the mail server makes it raise: that is retried."""
    _report(0, _("Looking up"))
    user = User.objects.get(pk=user_id)
    _report(1, _("Rendering"))
    mail = render(user)
    _report(2, _("Sending"))
    mail.send()
    _report(STEPS, _("Sent"))
    return {"to": user.email}


def render(user: User) -> EmailMultiAlternatives:
    """The mail as text, and as HTML for programs that show it."""
    context = {"user": user}
    mail = EmailMultiAlternatives(
        subject=render_to_string("accounts/mail/subject.txt", context).strip(),
        body=render_to_string("accounts/mail/welcome.txt", context),
        to=[user.email],
    )
    mail.attach_alternative(render_to_string("accounts/mail/welcome.html", context), "text/html")
    return mail


def on_success(job_id: int, result: dict[str, str]) -> None:
    """Keep that the mail was sent: the job itself is forgotten ten minutes later."""
    _keep(job_id, status=WelcomeMail.Status.SUCCESS, sent_at=timezone.now(), error="")


def on_error(job_id: int, error: BaseException) -> None:
    """Keep why the mail was not sent. Called once, after the last attempt."""
    _keep(job_id, status=WelcomeMail.Status.FAILURE, error=f"{type(error).__name__}: {error}")


def _report(step: int, message: str) -> None:
    job = current_job()
    if job.attempt > 1:
        message = _("%(message)s (attempt %(attempt)d)") % {"message": message, "attempt": job.attempt}
    job.progress(step, STEPS, message)
    if step < STEPS:
        time.sleep(settings.DEMO_PAUSE)


def _keep(job_id: int, **outcome: object) -> None:
    WelcomeMail.objects.filter(job_id=job_id).update(attempts=current_job().attempt, **outcome)
