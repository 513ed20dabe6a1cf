"""A list of contacts, and a picture: sent, watched, seen, cancelled, by their own user."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from demo_project.accounts.models import Contact, Upload
from tests.conftest import until
from tests.demo.conftest import Demo
from yao_tasks import tasks

GOOD = b"name,email\nAda,ada@example.org\nBob,no address\n"


@pytest.fixture
def ada(demo: Demo, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Ada's browser; what she sends goes to a folder of the test's own."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setenv("DEMO_DATA", str(tmp_path))
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    return client


def send(client: Client, path: str, name: str, data: bytes) -> HttpResponse:
    return client.post(path, {"file": SimpleUploadedFile(name, data)})


def sent(client: Client, path: str, name: str, data: bytes) -> Upload:
    """Send a file that is taken; its row, once its job has ended."""
    answer = send(client, path, name, data)
    assert answer.status_code == 302, answer.content.decode()
    upload = Upload.objects.latest("pk")
    assert answer.url == f"/uploads/{upload.pk}/"
    tasks[upload.task].wait(upload.job_id, 60)
    return upload


def page(client: Client, upload: Upload) -> str:
    answer = client.get(f"/uploads/{upload.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_list_is_imported(ada: Client) -> None:
    upload = sent(ada, "/imports/", "../../my contacts.csv", GOOD)

    assert "2 lines, 1 of them without a contact." in page(ada, upload)
    assert upload.name == "my_contacts.csv"
    assert Contact.objects.get().name == "Ada"
    assert f"/uploads/{upload.pk}/" in ada.get("/imports/").content.decode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a;b\n1;2\n", "list.csv: the first line is [&#x27;a;b&#x27;], not"),
        (b"\xff\xfe\x00", "list.csv is no CSV file in UTF-8."),
        (b"name,email\nAda\n", "1 lines, 1 of them without a contact."),
    ],
)
def test_its_user_is_told_what_is_wrong_with_a_list(ada: Client, data: bytes, said: str) -> None:
    assert said in page(ada, sent(ada, "/imports/", "list.csv", data))


def test_a_file_that_is_too_large_is_refused(ada: Client) -> None:
    answer = send(ada, "/imports/", "list.csv", b"a" * (5 * 2**20 + 1))

    assert "larger than 5 MB" in answer.content.decode()
    assert not Upload.objects.exists()


def test_an_import_is_watched_and_cancelled_by_its_user_alone(ada: Client, settings: Any) -> None:
    settings.DEMO_PAUSE = 0.05
    rows = b"name,email\n" + b"".join(b"P%d,p%d@example.org\n" % (one, one) for one in range(50_000))
    send(ada, "/imports/", "list.csv", rows)
    upload = Upload.objects.get()
    text = page(ada, upload)
    bob = Client()
    bob.force_login(User.objects.create_user("bob"))
    (address,) = re.findall(r'src="(/tasks/[^"]+)"', text)
    until(lambda: Client().get(address).json()["current"] > 0, "some progress")

    by_bob = bob.post(f"/uploads/{upload.pk}/cancel/"), bob.get(f"/uploads/{upload.pk}/")
    live = not tasks["import_contacts"].get(upload.job_id).is_finished
    by_ada = ada.post(f"/uploads/{upload.pk}/cancel/", follow=True)
    until(lambda: not tasks["import_contacts"].metrics()["stuck"], "its thread to come back")

    assert [answer.status_code for answer in by_bob] == [404, 404]
    assert live
    assert "This was cancelled." in by_ada.content.decode()
    assert ada.get(f"/uploads/{upload.pk}/cancel/").status_code == 405


@pytest.mark.slow
def test_a_picture_gets_its_thumbnail(ada: Client) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = io.BytesIO()
    image.new("RGBA", (800, 600), "green").save(picture, "PNG")
    upload = sent(ada, "/thumbnails/", "garden.png", picture.getvalue())
    (address,) = re.findall(r'<img src="(/uploads/[^"]+)"', page(ada, upload))

    answer = ada.get(address)
    with image.open(io.BytesIO(b"".join(answer.streaming_content))) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (160, 120))
    assert Client().get(address).status_code == 302
    assert ada.get(f"/uploads/{upload.pk}/thumbnails/..%2F..%2Fgarden.jpg").status_code == 404


@pytest.mark.slow
def test_what_is_no_picture_is_said_so(ada: Client) -> None:
    pytest.importorskip("PIL.Image")

    assert "garden is no picture" in page(ada, sent(ada, "/thumbnails/", "garden.jpg", b"no picture"))


def test_a_full_queue_is_said_so(ada: Client, demo: Demo) -> None:
    demo.define("import_contacts", size=1)
    pool = tasks["import_contacts"]
    pool.pause()
    codes = [send(ada, "/imports/", "list.csv", GOOD).status_code for _ in range(2)]

    assert codes == [302, 200]
    assert Upload.objects.count() == 1


def test_strangers_are_sent_to_log_in(demo: Demo) -> None:
    for path in ("/imports/", "/thumbnails/", "/uploads/1/"):
        assert Client().get(path).status_code == 302


def test_a_job_that_is_forgotten_is_said_so(ada: Client) -> None:
    upload = sent(ada, "/imports/", "list.csv", GOOD)
    Upload.objects.update(job_id=7)

    assert "no longer known" in page(ada, upload)
