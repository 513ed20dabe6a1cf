"""The state folder trusts nothing that others could have planted."""

import os
import stat
from pathlib import Path

import pytest

from yao_tasks.core.state import UnsafeStateDir, open_file, open_folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_made_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        os.close(open_file(tmp_path / "state", "ids.json"))
    finally:
        os.umask(before)

    assert mode(tmp_path / "state") == 0o700
    assert mode(tmp_path / "state" / "ids.json") == 0o600


def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)

    with pytest.raises(UnsafeStateDir, match=r"mode 0777.*must belong to the user who runs the site"):
        open_folder(tmp_path / "state")


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.close(open_folder(tmp_path / "state"))
    monkeypatch.setattr(os, "geteuid", lambda: 4242)

    with pytest.raises(UnsafeStateDir, match="belongs to user"):
        open_folder(tmp_path / "state")


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to(tmp_path / "real")

    with pytest.raises(UnsafeStateDir, match="STATE_DIR"):
        open_folder(tmp_path / "state")


@pytest.mark.parametrize("plant", ["link", "hard link", "pipe", "folder"])
def test_a_planted_file_is_refused_and_its_victim_unchanged(tmp_path: Path, plant: str) -> None:
    os.close(open_folder(tmp_path / "state"))
    victim, file = tmp_path / "victim", tmp_path / "state" / "ids.json"
    victim.write_text("precious")
    match plant:
        case "link":
            file.symlink_to(victim)
        case "hard link":
            file.hardlink_to(victim)
        case "pipe":
            os.mkfifo(file)
        case "folder":
            file.mkdir()

    with pytest.raises(UnsafeStateDir, match="Remove it"):
        open_file(tmp_path / "state", "ids.json")

    assert victim.read_text() == "precious"


def test_a_refusal_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o755)
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(20):
        with pytest.raises(UnsafeStateDir):
            open_file(tmp_path / "state", "ids.json")

    assert len(os.listdir("/proc/self/fd")) == before
