"""The demo's settings, read in a fresh process as a server reads them."""

import os
import subprocess
import sys
from pathlib import Path

import django
import pytest
from django.core.exceptions import ImproperlyConfigured

from demo_project.mail import mail_settings

MAILERS = django.VERSION >= (6, 1)
LOOK = "from demo_project import settings; print(settings.DEBUG, settings.SECRET_KEY, settings.ALLOWED_HOSTS)"


def test_the_development_key_is_refused_when_debug_is_off(tmp_path: Path) -> None:
    done = _read(tmp_path, DEBUG="off")

    assert done.returncode == 1
    assert "DEBUG is off, so SECRET_KEY must be set" in done.stderr


def test_a_key_and_hosts_come_from_the_environment(tmp_path: Path) -> None:
    done = _read(
        tmp_path, DEBUG="off", SECRET_KEY="from outside", ALLOWED_HOSTS="a.example.org,b.example.org"
    )

    assert done.stdout.strip() == "False from outside ['a.example.org', 'b.example.org']", done.stderr


def test_without_a_url_mails_become_files(tmp_path: Path) -> None:
    backend = "django.core.mail.backends.filebased.EmailBackend"

    assert mail_settings("", tmp_path) == (
        {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": {"file_path": tmp_path}}}}
        if MAILERS
        else {"EMAIL_BACKEND": backend, "EMAIL_FILE_PATH": tmp_path}
    )


def test_a_url_names_server_user_and_encryption(tmp_path: Path) -> None:
    given = mail_settings("smtp+tls://ada:s%40fe@mail.example.org:587", tmp_path)
    if MAILERS:
        options = given["MAILERS"]["default"]["OPTIONS"]
        found = [options[name] for name in ("host", "port", "username", "password", "use_tls")]
    else:
        names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS")
        found = [given[f"EMAIL_{name}"] for name in names]

    assert found == ["mail.example.org", 587, "ada", "s@fe", True]


def test_a_url_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="pigeon"):
        mail_settings("pigeon://mail.example.org", tmp_path)


def _read(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value for name, value in os.environ.items() if name not in ("DEBUG", "SECRET_KEY", "EMAIL_URL")
    }
    return subprocess.run(
        [sys.executable, "-c", LOOK],
        env={**clean, "DEMO_DATA": str(folder), **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
