"""Every page is valid HTML, as the Nu checker of the W3C sees it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.browser.pages import flows, furnish, recorded
from tests.conftest import Site
from tests.django.dashboard import client_of
from yao_tasks import boot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="session")
def checker(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The checker's command, fetched for the tests alone. Where it can't be had they are skipped."""
    npm, java = shutil.which("npm"), shutil.which("java")
    if npm is None or java is None:
        pytest.skip("The Nu checker comes from npm and runs in Java; they aren't here.")
    folder = tmp_path_factory.mktemp("vnu")
    packed = subprocess.run(
        [npm, "pack", "vnu-jar", "--silent"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if packed.returncode:
        pytest.skip(f"npm didn't give the checker: {packed.stderr[-200:]}")
    shutil.unpack_archive(folder / packed.stdout.split()[-1], folder, filter="data")
    jar = next((folder / "package").rglob("vnu.jar"))
    return [java, "-Xss1m", "-jar", str(jar), "--format", "json", "--stdout"]


def test_every_page_is_valid_html(site: Site, checker: list[str], tmp_path: Path) -> None:
    client = client_of(User.objects.create_superuser("super"))
    pages = {**recorded(site), **flows(site), **furnish(site)}
    jobs = pages["jobs"]
    texts = {name: client.get(url).content for name, url in pages.items()}
    for verb in ("cancel", "retry", "delete"):
        texts[verb] = client.post(f"{jobs}all/{verb}/", {"all": "1", "filter": "?"}).content
    texts["nothing to do"] = client.post(f"{jobs}all/retry/", {}).content
    for name, text in texts.items():
        (tmp_path / f"{name}.html").write_bytes(text)

    said = subprocess.run(
        [*checker, *map(str, sorted(tmp_path.glob("*.html")))],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    found: list[dict[str, Any]] = json.loads(said.stdout)["messages"]

    faults = {
        (Path(one["url"]).stem, one["message"], one.get("extract", "")[:200])
        for one in found
        if one["type"] == "error"
    }
    assert faults == set(), json.dumps(sorted(faults), indent=1)
    boot.reset()
