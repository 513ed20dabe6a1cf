"""The demo in 简体中文: its pages, and what its jobs write, which is in the language of whoever added them."""

import gettext
from pathlib import Path

import pytest
from django.test import Client

import demo_project
from demo_project.accounts.models import WelcomeMail
from tests.conftest import until
from tests.demo.conftest import MailServer, post_sign_up, status
from tests.django.test_translations import marked_in_python, marked_in_template

PACKAGE = Path(demo_project.__file__).parent
COMPILED = PACKAGE / "accounts" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.mo"


@pytest.fixture
def chinese(client: Client) -> Client:
    """A visitor whose browser asks for Chinese."""
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-CN,zh;q=0.9"
    return client


def test_every_text_of_the_demo_is_translated() -> None:
    python = {text for path in PACKAGE.rglob("*.py") for text in marked_in_python(path)}
    pages = {text for path in PACKAGE.rglob("templates/**/*.*") for text in marked_in_template(path)}
    with COMPILED.open("rb") as file:
        known = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]

    assert len(python) > 10
    assert len(pages) > 10
    assert {*python, *pages} - known.keys() == set()


def test_pages_messages_and_the_mail_are_chinese(chinese: Client, mail_server: MailServer) -> None:
    mail_server.open.clear()
    form = chinese.get("/").content.decode()
    post_sign_up(chinese)
    mail = WelcomeMail.objects.get(user__username="ada")
    until(lambda: status(chinese, mail)["message"] == "正在发送", "the mail to be sent")
    mail_server.open.set()
    until(lambda: status(chinese, mail)["status"] == "SUCCESS", "the job to end")
    done = chinese.get(f"/welcome/{mail.pk}/").content.decode()

    assert "欢迎邮件将发送到这里。" in form
    assert "邮件已发送" in done
    [letter] = mail_server.mails
    assert letter["Subject"] == "欢迎您，ada"
