"""A sign-up from the form to the mail, with real threads, a real database and a real mail server."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from demo_project.accounts.models import WelcomeMail
from demo_project.checking.copy import free_port
from tests.conftest import until
from tests.demo.conftest import Demo, MailServer, page, post_sign_up, sign_up, status
from yao_tasks import boot, tasks

FIELDS = {"id", "status", "current", "total", "message", "response"}


def test_the_mail_arrives_and_its_progress_is_seen_on_the_way(
    client: Client, mail_server: MailServer
) -> None:
    mail_server.open.clear()
    mail = sign_up(client)
    sending = until(
        lambda: (seen := status(client, mail))["message"] == "Sending" and seen, "the mail to be sent"
    )
    on_the_way = page(client, mail)
    mail_server.open.set()
    until(lambda: status(client, mail)["status"] == "SUCCESS", "the job to end")

    assert sending == {
        "id": mail.job_id,
        "status": "RUNNING",
        "current": 2,
        "total": 4,
        "message": "Sending",
        "response": None,
    }
    assert '<progress aria-label="Welcome mail" value="2" max="4">' in on_the_way
    assert "on its way to <strong>ada@example.org</strong>" in page(client, mail)
    [letter] = mail_server.mails
    assert letter["To"] == "ada@example.org"
    assert letter["Subject"] == "Welcome, ada"
    assert "Hello ada" in letter.get_body(("plain",)).get_content()
    assert "<strong>ada</strong>" in letter.get_body(("html",)).get_content()


def test_the_outcome_is_kept_on_the_model_and_shown_when_the_job_is_forgotten(
    client: Client, mail_server: MailServer
) -> None:
    mail = sign_up(client)
    _ended(mail, "SUCCESS")
    boot.reset()

    assert (mail.attempts, mail.error) == (1, "")
    assert mail.sent_at is not None
    assert "Mail sent" in page(client, mail)
    assert set(status(client, mail)) == FIELDS
    assert status(client, mail)["status"] == "SUCCESS"


def test_a_dead_mail_server_is_tried_four_times_and_the_failure_shows_on_page_and_model(
    client: Client, demo: Demo
) -> None:
    demo.send_mail_to(f"smtp://127.0.0.1:{free_port()}")
    mail = sign_up(client)
    _ended(mail, "FAILURE")

    assert mail.attempts == 4
    assert mail.error.startswith("ConnectionRefusedError")
    assert mail.sent_at is None
    assert tasks["welcome_email"].metrics()["retried"] == 3
    assert "Mail not sent" in page(client, mail)
    shown = status(client, mail)
    assert shown["status"] == "FAILURE"
    assert shown["message"] == "Sending (attempt 4)"
    assert shown["response"] == "The mail could not be sent."


def test_a_mail_server_that_comes_back_gets_the_mail_after_all(
    client: Client, demo: Demo, mail_server: MailServer
) -> None:
    demo.define("welcome_email", attempts=1000, attempt_after=20)
    mail_server.stop()
    mail = sign_up(client)
    until(lambda: tasks["welcome_email"].metrics()["retried"] > 0, "a retry")
    mail_server.start()
    _ended(mail, "SUCCESS")

    assert mail.attempts > 1
    assert [letter["To"] for letter in mail_server.mails] == ["ada@example.org"]


def test_a_cancelled_mail_is_a_failure_on_the_model(client: Client, mail_server: MailServer) -> None:
    mail_server.open.clear()
    mail = sign_up(client)
    tasks["welcome_email"].cancel(mail.job_id)
    _ended(mail, "FAILURE")

    assert mail.error.startswith("JobCancelled")
    assert "Mail not sent" in page(client, mail)


def test_a_rollback_of_the_sign_up_leaves_no_user_no_job_and_no_mail(
    demo: Demo, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(row: WelcomeMail, *_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(WelcomeMail, "save", broken)
    answer = post_sign_up(Client(raise_request_exception=False))

    assert answer.status_code == 500
    assert not User.objects.exists()
    metrics = tasks["welcome_email"].metrics()
    assert (metrics["added"], metrics["waiting"], metrics["running"]) == (0, 0, 0)
    assert not tasks["welcome_email"].jobs
    assert mail_server.mails == []


def test_a_full_queue_does_not_cost_the_user_and_the_page_says_so(
    demo: Demo, mail_server: MailServer
) -> None:
    demo.define("welcome_email", worker_nums=1, size=1)
    mail_server.open.clear()
    first, second, client = Client(), Client(), Client()
    sign_up(first, "ada")
    sign_up(second, "bob")
    mail = sign_up(client, "eve")

    assert (mail.job_id, mail.status) == (None, "REFUSED")
    assert "allow" in mail.error
    assert client.session["_auth_user_id"] == str(User.objects.get(username="eve").pk)
    assert "could not be queued" in page(client, mail)
    assert status(client, mail)["status"] == "REFUSED"


def test_a_closed_pool_does_not_cost_the_user_either(client: Client, demo: Demo) -> None:
    tasks["welcome_email"].close(0)
    mail = sign_up(client)

    assert mail.status == "REFUSED"
    assert "Mail not queued" in page(client, mail)


def test_a_job_that_went_with_its_process_is_told_as_such(client: Client, mail_server: MailServer) -> None:
    mail = sign_up(client)
    _ended(mail, "SUCCESS")
    WelcomeMail.objects.filter(pk=mail.pk).update(status="WAITING")
    boot.reset()

    assert status(client, mail)["status"] == "FAILURE"
    assert "The server was restarted before it could tell" in page(client, mail)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"password2": "another"}, "two password fields"),
        ({"email": "nobody"}, "Enter a valid email address."),
        ({"email": ""}, "This field is required."),
        ({"username": "ADA"}, "A user with that username already exists."),
    ],
)
def test_a_form_at_fault_comes_back_with_the_reason_and_adds_no_job(
    client: Client, demo: Demo, changes: dict[str, str], complaint: str
) -> None:
    User.objects.create_user("ada")
    answer = post_sign_up(client, "bob", **changes)

    assert complaint in answer.content.decode()
    assert User.objects.count() == 1
    assert tasks["welcome_email"].metrics()["added"] == 0


def test_a_name_that_is_taken_between_look_and_save_is_a_complaint_too(
    client: Client, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.create_user("ada")
    monkeypatch.setattr("demo_project.accounts.forms.SignUpForm.clean_username", lambda form: "ada")
    monkeypatch.setattr("demo_project.accounts.forms.SignUpForm.validate_unique", lambda form: None)
    answer = post_sign_up(client, "ada")

    assert "A user with that username already exists." in answer.content.decode()
    assert tasks["welcome_email"].metrics()["added"] == 0
    assert not tasks["welcome_email"].jobs


def test_a_name_full_of_markup_is_only_text(client: Client, mail_server: MailServer) -> None:
    post_sign_up(client, "ada")
    mail = WelcomeMail.objects.get()
    _ended(mail, "SUCCESS")
    User.objects.update(username="<script>alert(1)</script>", email='"<img src=x>"@example.org')

    shown = page(client, mail)
    assert "<script>alert" not in shown
    assert "<img src=x>" not in shown


def _ended(mail: WelcomeMail, end: str) -> None:
    """Wait until the event of the mail's job has stored that end."""

    def stored() -> bool:
        mail.refresh_from_db()
        return mail.status != "WAITING"

    until(stored, "the mail's event")
    assert mail.status == end, mail.error
