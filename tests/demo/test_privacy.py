"""Who may see how far a welcome mail is: its own user, and nobody else."""

import pytest
from django.test import Client

from tests.demo.conftest import MailServer, sign_up


@pytest.mark.parametrize("path", ["/welcome/{}/", "/welcome/{}/status/"])
def test_another_user_gets_404(mail_server: MailServer, path: str) -> None:
    stranger = Client()
    sign_up(stranger, "bob")
    mail = sign_up(Client(), "ada")

    assert stranger.get(path.format(mail.pk)).status_code == 404


def test_an_anonymous_visitor_gets_404_for_the_json(mail_server: MailServer) -> None:
    mail = sign_up(Client())

    assert Client().get(f"/welcome/{mail.pk}/status/").status_code == 404


def test_an_anonymous_visitor_of_the_page_is_asked_to_log_in(mail_server: MailServer) -> None:
    mail = sign_up(Client())
    answer = Client().get(f"/welcome/{mail.pk}/")

    assert answer.status_code == 302
    assert answer.url == f"/login/?next=/welcome/{mail.pk}/"


def test_a_mail_that_never_was_is_no_different_from_a_foreign_one(
    client: Client, mail_server: MailServer
) -> None:
    sign_up(client)

    assert client.get("/welcome/999999/status/").status_code == 404


def test_the_json_is_read_only(client: Client, mail_server: MailServer) -> None:
    mail = sign_up(client)

    assert client.post(f"/welcome/{mail.pk}/status/").status_code == 405


def test_a_sign_up_without_its_token_is_refused(mail_server: MailServer, settings) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.csrf.CsrfViewMiddleware"]
    answer = Client(enforce_csrf_checks=True).post("/", {"username": "ada"})

    assert answer.status_code == 403
