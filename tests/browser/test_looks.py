"""How the pages look, and to whom: policies, narrow screens, screen readers; and their pictures."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.browser.conftest import Open
from tests.browser.pages import flows, furnish, recorded
from tests.conftest import Site
from tests.django.dashboard import user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
# Set it to have the pictures of the documentation made anew.
WRITES = "WRITE_PICTURES"
SITE = """([here, there]) => document.querySelectorAll("pre, code").forEach(
  (one) => one.firstElementChild || (one.textContent = one.textContent.replaceAll(here, there)))"""
PICTURED = ("overview", "jobs", "failure", "pool")


@pytest.fixture
def operator() -> User:
    return user("operator", "view_jobs", "operate_jobs", "view_job_args", is_staff=True)


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_no_page_breaks_the_strict_policy_or_is_too_wide(
    language: str, site: Site, open_page: Open, operator: User, said: list[str]
) -> None:
    pages = {**recorded(site), **flows(site), **furnish(site)}
    page = open_page(operator, pages["overview"], viewport={"width": 400, "height": 800}, locale=language)

    for name, url in pages.items():
        response = page.goto(url)
        assert response.headers["content-security-policy"] == "default-src 'self'"
        assert page.evaluate("document.documentElement.scrollWidth") == 400, name
        assert page.evaluate("document.documentElement.lang") == language.lower()
    # A page that is answered with 400 is a line in the console, too.
    assert [line for line in said if "400" not in line] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_of_the_pages(
    scheme: str, site: Site, open_page: Open, operator: User, tmp_path: Path
) -> None:
    pages = furnish(site)
    page = open_page(
        operator, pages["overview"], viewport={"width": 1360, "height": 860}, color_scheme=scheme
    )
    folder = IMAGES if os.environ.get(WRITES) else tmp_path

    for name in PICTURED:
        page.goto(pages[name])
        # Wherever they were made, they look the same.
        page.evaluate(SITE, [str(IMAGES.parent.parent), "/srv/site"])
        page.screenshot(path=folder / f"dashboard-{name}-{scheme}.png")

    backgrounds = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert backgrounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 18)"}[scheme]


# Accessibility


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core, fetched for the tests alone. Where it can't be had they are skipped."""
    npm = shutil.which("npm")
    folder = tmp_path_factory.mktemp("axe")
    if npm is None:
        pytest.skip("axe-core comes from npm, which isn't here.")
    packed = subprocess.run(
        [npm, "pack", "axe-core@4", "--silent"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if packed.returncode:
        pytest.skip(f"npm didn't give axe-core: {packed.stderr[-200:]}")
    shutil.unpack_archive(folder / packed.stdout.split()[-1], folder, filter="data")
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(
    scheme: str, site: Site, open_page: Open, operator: User, axe: str
) -> None:
    pages = {**recorded(site), **flows(site), **furnish(site)}
    # The policy would keep axe out, too; that the pages live with it is another test.
    page = open_page(operator, pages["overview"], color_scheme=scheme, bypass_csp=True)
    found: dict[str, Any] = {}

    for name, url in pages.items():
        page.goto(url)
        page.evaluate(axe)
        result = page.evaluate("axe.run('#content', {resultTypes: ['violations']})")
        assert len(result["passes"]) > 5, "axe looked at nothing"
        faults = [
            (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0].get("failureSummary", "")[:300])
            for one in result["violations"]
            if one["impact"] in ("serious", "critical") and not _is_djangos(one)
        ]
        if faults:
            found[name] = faults

    assert found == {}, json.dumps(found, indent=1)


def _is_djangos(fault: dict[str, Any]) -> bool:
    """The label of the search in each of the admin's own lists is a picture."""
    return fault["id"] == "label-title-only" and 'id="searchbar"' in fault["nodes"][0]["html"]
