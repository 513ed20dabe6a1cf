"""Which files are definitions, of which task, and what is said of the others."""

import os
from pathlib import Path

import pytest

from yao_tasks.core.faults import Code, Fault
from yao_tasks.core.files import LARGEST, find, read_text


@pytest.fixture
def dirs(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    return folder


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "tasks"
    folder.mkdir(parents=True)
    return folder


def write(path: Path, text: str = "{}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def found(dirs: list[Path], app_dirs: list[Path] | None = None) -> dict[str, Path]:
    files, faults = find(dirs, app_dirs or [])
    assert faults == []
    return files


def fault(dirs: list[Path], app_dirs: list[Path] | None = None) -> Fault:
    [one] = find(dirs, app_dirs or [])[1]
    return one


@pytest.mark.parametrize(
    ("path", "task_id"),
    [
        ("welcome.yao", "welcome"),
        ("welcome.jsonc", "welcome"),
        ("welcome.json", "welcome"),
        ("welcome.task.yao", "welcome"),
        ("welcome.task.json", "welcome"),
        ("mail/welcome.task.yao", "mail.welcome"),
        ("a/b/c.json", "a.b.c"),
        ("v1.2/send.now.yao", "v1_2.send_now"),
        ("send-now_2.yao", "send-now_2"),
        ("邮件/欢迎.yao", "邮件.欢迎"),
        ("cafe\u0301.yao", "caf\u00e9"),
        ("हिन्दी.yao", "हिन्दी"),
        ("mail/health.yao", "mail.health"),
        ("task.yao", "task"),
    ],
)
def test_the_id_is_the_path_below_the_folder(dirs: Path, path: str, task_id: str) -> None:
    file = write(dirs / path)

    assert found([dirs]) == {task_id: file}


def test_other_files_hidden_ones_and_caches_are_passed_by(dirs: Path) -> None:
    file = write(dirs / "welcome.yao")
    for other in [
        "__init__.py",
        "notes.txt",
        ".hidden.yao",
        ".git/a.json",
        "__pycache__/a.json",
        "a.YAO",
        "yao",
    ]:
        write(dirs / other)

    assert found([dirs]) == {"welcome": file}


def test_an_app_gives_only_files_that_say_they_are_tasks(app: Path) -> None:
    for name in ["a.yao", "b.task.json", "c.task.jsonc", "sub/d.yao", "e.json", "f.jsonc", "fixtures/g.json"]:
        write(app / name)

    assert list(found([], [app])) == ["a", "b", "c", "sub.d"]


def test_an_app_without_the_folder_or_without_files_is_fine(app: Path) -> None:
    assert found([], [app, app / "missing"]) == {}


def test_a_file_of_the_project_replaces_an_apps(dirs: Path, app: Path) -> None:
    mine = write(dirs / "welcome.yao")
    write(app / "welcome.yao")
    other = write(app / "other.yao")

    assert found([dirs], [app]) == {"other": other, "welcome": mine}


def test_a_file_of_the_project_replaces_those_of_two_apps(dirs: Path, app: Path, tmp_path: Path) -> None:
    mine = write(dirs / "welcome.yao")
    write(app / "welcome.yao")
    write(tmp_path / "blog/welcome.yao")

    assert found([dirs], [app, tmp_path / "blog"]) == {"welcome": mine}


@pytest.mark.parametrize(
    ("first", "second"),
    [("a.yao", "a.json"), ("a.yao", "a.task.yao"), ("a.b.yao", "a_b.yao"), ("x/a.yao", "x/a.json")],
)
def test_two_files_with_one_id_are_both_named_and_none_is_used(dirs: Path, first: str, second: str) -> None:
    paths = sorted([write(dirs / first), write(dirs / second)])
    write(dirs / "fine.yao")
    files, [one] = find([dirs], [])

    assert list(files) == ["fine"]
    assert one.code == Code.SAME_ID
    assert one.text == f'{paths[0]} and {paths[1]} have one task id, "{one.task}", so none is used.'
    assert one.hint == "Rename or remove all but one."


def test_two_apps_with_one_id_are_both_named(app: Path, tmp_path: Path) -> None:
    paths = [write(app / "a.yao"), write(tmp_path / "blog/a.yao")]
    one = fault([], [app, tmp_path / "blog"])

    assert (one.code, one.task) == (Code.SAME_ID, "a")
    assert all(str(path) in one.text for path in paths)


def test_a_file_reached_by_two_ways_counts_once(dirs: Path, tmp_path: Path) -> None:
    file = write(dirs / "z/welcome.yao")
    (dirs / "a-link.yao").symlink_to(file)
    (dirs / "b").symlink_to(dirs / "z")
    (tmp_path / "other").symlink_to(dirs)

    assert found([dirs, dirs, tmp_path / "other"], [dirs]) == {"z.welcome": file}


def test_a_folder_inside_another_counts_once(dirs: Path) -> None:
    file = write(dirs / "mail/welcome.yao")

    assert found([dirs, dirs / "mail"]) == {"mail.welcome": file}


def test_of_several_links_to_a_file_the_first_by_name_counts(dirs: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "elsewhere.yao")
    for name in ["m", "b", "z", "a", "q", "c"]:
        (dirs / f"{name}.yao").symlink_to(file)

    assert found([dirs]) == {"a": dirs / "a.yao"}


def test_files_and_folders_that_are_linked_in_are_found(dirs: Path, tmp_path: Path) -> None:
    write(tmp_path / "shared/a.yao")
    (dirs / "shared").symlink_to(tmp_path / "shared")
    (dirs / "b.yao").symlink_to(write(tmp_path / "elsewhere.json"))

    assert list(found([dirs])) == ["b", "shared.a"]


def test_links_that_go_round_in_circles_come_to_an_end(dirs: Path) -> None:
    file = write(dirs / "a/welcome.yao")
    for number in range(12):
        (dirs / "a" / f"up{number}").symlink_to(dirs)
        (dirs / f"folder{number}").mkdir()
        (dirs / f"folder{number}" / "round").symlink_to(dirs / f"folder{(number + 1) % 12}")

    assert found([dirs]) == {"a.welcome": file}


def test_the_order_is_that_of_the_ids(dirs: Path, app: Path) -> None:
    for name in ["c.yao", "a/z.yao", "b.yao", "a.yao"]:
        write(dirs / name)
    write(app / "aa.yao")

    assert list(found([dirs], [app])) == ["a", "a.z", "aa", "b", "c"]


def test_health_is_no_task_id(dirs: Path) -> None:
    file = write(dirs / "health.yao")
    one = fault([dirs])

    assert one.code == Code.BAD_ID
    assert one.text == f'{file}: "health" can\'t be a task id.'
    assert one.hint.startswith("Rename the file")


@pytest.mark.parametrize("name", ["two words.yao", "a+b.yao", "a/b c/d.yao", "new\nline.yao"])
def test_an_id_of_other_signs_is_refused(dirs: Path, name: str) -> None:
    write(dirs / name)
    write(dirs / "fine.yao")
    files, [one] = find([dirs], [])

    assert list(files) == ["fine"]
    assert one.code == Code.BAD_ID
    assert one.text.endswith(" can't be a task id.")
    assert "\n" not in one.text


def test_a_name_that_is_no_utf8_is_told_in_letters_that_can_be_printed(dirs: Path) -> None:
    (Path(os.fsdecode(os.fsencode(dirs) + b"/\xff.yao"))).write_text("{}")
    one = fault([dirs])

    assert one.code == Code.BAD_ID
    assert "\\udcff.yao" in one.text
    one.text.encode()


def test_a_folder_that_does_not_exist_is_named(dirs: Path) -> None:
    one = fault([dirs / "missing"])

    assert one.code == Code.NO_FOLDER
    assert one.text == f'settings.YAO_TASKS["DIRS"] names {dirs / "missing"}, which is no folder.'


def test_a_file_is_no_folder(dirs: Path) -> None:
    assert fault([write(dirs / "a.yao")]).code == Code.NO_FOLDER


def test_a_folder_without_definitions_is_a_warning(dirs: Path) -> None:
    write(dirs / "README.md")
    one = fault([dirs])

    assert one.code == Code.EMPTY_FOLDER
    assert not one.is_error
    assert one.text == f"{dirs} holds no definition files (*.yao, *.jsonc, *.json)."


def test_a_folder_that_can_not_be_listed_is_named(dirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests may run as root, who can list everything.
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    write(dirs / "a.yao")
    monkeypatch.setattr(Path, "iterdir", refuse)
    faults = find([dirs], [])[1]

    assert faults[0].code == Code.UNREADABLE
    assert faults[0].text == f"{dirs} can't be listed: Permission denied."


def test_a_readable_file_gives_its_text(dirs: Path) -> None:
    assert read_text(write(dirs / "a.yao", '{"name": "欢迎"}'), task="a") == '{"name": "欢迎"}'
    assert read_text(write(dirs / "b.yao", " " * LARGEST), task="b") == " " * LARGEST


def unreadable(path: Path) -> str:
    """Return what is said of the file, after its name."""
    found = read_text(path, task="a")
    assert isinstance(found, Fault)
    assert (found.code, found.task, found.path) == (Code.UNREADABLE, "a", path)
    assert found.text.startswith(f"{path} ")
    return found.text.removeprefix(f"{path} ")


def test_a_link_to_nowhere_is_named(dirs: Path) -> None:
    (dirs / "a.yao").symlink_to(dirs / "nowhere")

    assert list(found([dirs])) == ["a"]
    assert unreadable(dirs / "a.yao") == "can't be read: No such file or directory."


def test_a_link_to_itself_is_named(dirs: Path) -> None:
    (dirs / "a.yao").symlink_to(dirs / "a.yao")

    assert list(found([dirs])) == ["a"]
    assert "can't be read: " in unreadable(dirs / "a.yao")


def test_a_folder_with_the_ending_of_a_file_is_named(dirs: Path) -> None:
    write(dirs / "a.yao/b.yao")

    assert list(found([dirs])) == ["a"]
    assert unreadable(dirs / "a.yao") == "is no regular file."


def test_a_pipe_is_named_and_not_waited_for(dirs: Path) -> None:
    os.mkfifo(dirs / "a.yao")

    assert unreadable(dirs / "a.yao") == "is no regular file."


def test_a_file_that_is_no_utf8_is_named(dirs: Path) -> None:
    (dirs / "a.yao").write_bytes(b'{"name": "caf\xe9"}')

    assert unreadable(dirs / "a.yao") == "is not UTF-8: byte 14 is 0xe9."


def test_a_file_that_is_too_large_is_named(dirs: Path) -> None:
    assert unreadable(write(dirs / "a.yao", " " * (LARGEST + 1))) == "has 1,048,577 bytes."
