"""README.md, followed to the letter in a new project: one sees what it says one will see."""

import http.cookiejar
import os
import re
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import until
from tests.docs.conftest import PASSWORD, Project
from tests.docs.markdown import ROOT, blocks, read
from tests.testing.plugin import installed_plugin

pytestmark = pytest.mark.slow


class Browser:
    """A visitor with cookies, who fills in forms."""

    def __init__(self, project: Project) -> None:
        self.address = f"http://127.0.0.1:{project.port}"
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)

    def get(self, path: str) -> str:
        """The page."""
        return str(self.opener.open(self.address + path, timeout=10).read().decode())

    def fill(self, path: str, **fields: str) -> str:
        """Send the page's form; answers the page after it."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path))
        assert token
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode()
        return str(self.opener.open(self.address + path, data, timeout=10).read().decode())


def test_whoever_follows_the_readme_gets_a_mail_and_sees_its_job_in_the_admin(project: Project) -> None:
    with project.served():
        visitor, admin = Browser(project), Browser(project)
        welcome = visitor.fill(
            "/", username="ada", email="ada@example.org", password1=PASSWORD, password2=PASSWORD
        )

        until(lambda: "Hello ada, it is good to have you here." in project.log.read_text(), "the mail")
        assert re.fullmatch(r"Welcome! Job \d+ sends you a mail\.", welcome)
        admin.fill("/admin/login/?next=/admin/", username="admin", password=PASSWORD)
        assert "/admin/yao_tasks/dashboard/" in admin.get("/admin/")
        until(lambda: 'data-label="Succeeded">1' in admin.get("/admin/yao_tasks/dashboard/"), "a success")
        assert "Welcome mail" in admin.get("/admin/yao_tasks/dashboard/")


def test_the_readmes_project_has_no_faults(project: Project) -> None:
    assert project.run("python manage.py tasks check") == "1 definitions, no faults.\n"


@pytest.fixture
def tested(project: Project) -> Project:
    """The project with the tests that docs/testing.md shows, a file from all its parts."""
    parts: dict[str, list[str]] = {}
    for block in blocks(read(ROOT / "docs" / "testing.md")):
        if block.file:
            parts.setdefault(block.file, []).append(block.text)
    for name, texts in parts.items():
        project.write(name, "\n\n".join(texts))
    return project


def test_the_tests_in_the_docs_pass_in_the_readmes_project(tested: Project) -> None:
    assert "Ran 6 tests" in tested.run("python -W error manage.py test")


def test_the_tests_for_pytest_in_the_docs_pass_too(tested: Project, tmp_path: Path) -> None:
    path = f"{installed_plugin(tmp_path)}{os.pathsep}{tested.environment['PYTHONPATH']}"
    tested.environment |= {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "mysite.settings"}

    assert "3 passed" in tested.run("python -m pytest -q -W error -p no:randomly accounts/test_sign_up.py")
