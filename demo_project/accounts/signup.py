"""Signing up: a user, the row of their welcome mail, and the job that sends it, or none of the three."""

from django.contrib.auth.models import User
from django.db import transaction

from demo_project.accounts.models import WelcomeMail
from yao_tasks import tasks
from yao_tasks.errors import PoolClosed, QueueFull


@transaction.atomic
def sign_up(user: User) -> WelcomeMail:
    """Save a new user and have their welcome mail sent after the commit; a rollback takes all of it back.

    A refused job doesn't cost the user: the row then says REFUSED.
    """
    user.save()
    mail = WelcomeMail(user=user)
    try:
        mail.job_id = tasks["welcome_email"].add(user.pk)
    except (QueueFull, PoolClosed) as refusal:
        mail.status = WelcomeMail.Status.REFUSED
        mail.error = str(refusal)
    mail.save()
    return mail
