"""Three pages: sign-up, the progress of one's own welcome mail, and that progress as JSON."""

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from demo_project.accounts.forms import SignUpForm
from demo_project.accounts.models import WelcomeMail
from demo_project.accounts.signup import sign_up
from yao_tasks import Process
from yao_tasks.errors import JobElsewhere, JobNotFound


@require_http_methods(["GET", "HEAD", "POST"])
def signup(request: HttpRequest) -> HttpResponse:
    """Sign up, be logged in, and see how far the mail is."""
    form = SignUpForm(request.POST or None)
    if form.is_valid():
        # This hashes the password, which takes a while: not in `sign_up`, where the database is locked.
        user = form.save(commit=False)
        try:
            mail = sign_up(user)
        except IntegrityError:
            # Two at once, or a double click: the form was asked before the other one was saved.
            form.add_error("username", _("A user with that username already exists."))
        else:
            login(request, user)
            return redirect("welcome", mail.pk)
    return render(request, "accounts/signup.html", {"form": form})


@require_safe
@never_cache
@login_required
def welcome(request: HttpRequest, pk: int) -> HttpResponse:
    """The progress of one's own mail. Reloaded by hand where JavaScript is off."""
    mail = _own_mail(request, pk)
    return render(request, "accounts/welcome.html", {"mail": mail, "state": state_of(mail)})


@require_safe
@never_cache
def welcome_status(request: HttpRequest, pk: int) -> JsonResponse:
    """The six fields of the task's `get`. 404 for everybody but the mail's own user."""
    return JsonResponse(state_of(_own_mail(request, pk)))


def state_of(mail: WelcomeMail) -> dict[str, Any]:
    """The mail's job as its task's `get` shows it; of a job that is forgotten, what the mail's row knows."""
    if mail.status == WelcomeMail.Status.REFUSED:
        return mail.as_job()
    try:
        state = Process("tasks.welcome_email.get", mail.job_id)
    except JobElsewhere:
        # Another process of this site is at it.
        state = mail.as_job()
    except JobNotFound:
        state = mail.as_job()
        if mail.status == WelcomeMail.Status.WAITING:
            lost = _("The server was restarted before it could tell whether the mail was sent.")
            return {**state, "status": "FAILURE", "response": lost}
    if state["status"] == "FAILURE":
        # The error may name our mail server: it is for the admin, who finds it on the row.
        state["response"] = _("The mail could not be sent.")
    return state


def _own_mail(request: HttpRequest, pk: int) -> WelcomeMail:
    return get_object_or_404(WelcomeMail, pk=pk, user_id=request.user.pk)
