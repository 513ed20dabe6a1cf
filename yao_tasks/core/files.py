"""Where definition files are, and which task each one is."""

import os
import stat
import unicodedata
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from yao_tasks.core.faults import Code, Fault, printable, shown
from yao_tasks.core.kinds import is_task_id

# In a project's own folders all JSON is ours; an app's `tasks` may be a Python package with other JSON.
PROJECT_ENDINGS = (".yao", ".jsonc", ".json")
APP_ENDINGS = (".yao", ".task.jsonc", ".task.json")

# A definition has about 1 KiB; what is a thousand times as large was not meant.
LARGEST = 2**20


def find(dirs: Sequence[Path], app_dirs: Sequence[Path]) -> tuple[dict[str, Path], list[Fault]]:
    """Return the definition files by task id, in the ids' order, and what is wrong with them. Never raises.

    `dirs` are the project's folders; their files replace those of the same id in `app_dirs`, which need not
    exist. A file that is reached by two ways counts once, where it is found first; links are followed last.
    """
    search = _Search()
    project = search.collect(dirs, PROJECT_ENDINGS, required=True)
    apps = search.collect(app_dirs, APP_ENDINGS, required=False)
    found: dict[str, Path] = {}
    for task_id, paths in sorted({**apps, **project}.items()):
        if len(paths) == 1:
            found[task_id] = paths[0]
        else:
            search.faults.append(_same_id(task_id, paths))
    return found, search.faults


def read_text(path: Path, *, task: str | None) -> str | Fault:
    """Return the text of a definition file, or why it can't be read."""
    try:
        # Asked first: to open a pipe would wait for ever.
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            return _unreadable(path, "is no regular file", "Move it away, or rename it.", task=task)
        if state.st_size > LARGEST:
            said = f"has {state.st_size:,} bytes"
            return _unreadable(path, said, f"A definition has at most {LARGEST:,}.", task=task)
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        said = f"is not UTF-8: byte {error.start + 1} is 0x{error.object[error.start]:02x}"
        return _unreadable(path, said, "Save it as UTF-8.", task=task)
    except OSError as error:
        said = f"can't be read: {error.strerror or error}"
        return _unreadable(path, said, "Mend the link or the rights, or remove it.", task=task)


class _Search:
    """One look through the folders: which files were seen already, and what is wrong."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._seen: set[str] = set()

    def collect(
        self, folders: Iterable[Path], endings: Sequence[str], *, required: bool
    ) -> dict[str, list[Path]]:
        """Return the files with one of the `endings` in and below the folders, by task id."""
        found: dict[str, list[Path]] = defaultdict(list)
        for folder in folders:
            if not os.path.isdir(folder):
                self.faults += [_no_folder(folder)] if required else []
                continue
            paths = list(self._walk(folder, endings))
            if required and not paths:
                self.faults.append(_empty(folder, endings))
            for path in paths:
                self._add(path, _task_id(path.relative_to(folder), endings), found)
        return found

    def _walk(self, folder: Path, endings: Sequence[str]) -> Iterator[Path]:
        """Yield all that has one of the `endings`; each real folder once, what is no link first."""
        plain, links = deque([folder]), deque[Path]()
        folders: set[str] = set()
        while plain or links:
            path = plain.popleft() if plain else links.popleft()
            if path is not folder and path.name.endswith(tuple(endings)):
                yield path
            elif os.path.isdir(path) and (real := os.path.realpath(path)) not in folders:
                folders.add(real)
                for entry in self._entries(path):
                    (links if entry.is_symlink() else plain).append(entry)

    def _entries(self, folder: Path) -> list[Path]:
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            said = f"can't be listed: {error.strerror or error}"
            self.faults.append(_unreadable(folder, said, "Give its owner the right to read it.", task=None))
            return []
        return [entry for entry in entries if not entry.name.startswith((".", "__pycache__"))]

    def _add(self, path: Path, task_id: str, found: dict[str, list[Path]]) -> None:
        real = os.path.realpath(path)
        if real in self._seen:
            return
        self._seen.add(real)
        if is_task_id(task_id) and task_id != "health":
            found[task_id].append(path)
        else:
            self.faults.append(_bad_id(path, task_id))


def _task_id(path: Path, endings: Sequence[str]) -> str:
    """Return the id that the path below its folder makes: `mail/welcome.task.yao` is `mail.welcome`."""
    *folders, name = path.parts
    ending = next(one for one in endings if name.endswith(one))
    name = name.removesuffix(ending).removesuffix(".task")
    # macOS gives names with letters and accents apart (NFD), callers write them together.
    return ".".join(unicodedata.normalize("NFC", part.replace(".", "_")) for part in (*folders, name))


def _unreadable(path: Path, said: str, hint: str, *, task: str | None) -> Fault:
    return Fault(code=Code.UNREADABLE, text=f"{printable(path)} {said}.", hint=hint, task=task, path=path)


def _same_id(task_id: str, paths: Sequence[Path]) -> Fault:
    files = " and ".join(map(printable, paths))
    text = f"{files} have one task id, {shown(task_id)}, so none is used."
    return Fault(
        code=Code.SAME_ID, text=text, hint="Rename or remove all but one.", task=task_id, path=paths[0]
    )


def _bad_id(path: Path, task_id: str) -> Fault:
    hint = "Rename the file or folder: letters, digits, _ and - make an id."
    if task_id == "health":
        hint = 'Rename the file: the address "health/" tells whether the site is well.'
    return Fault(
        code=Code.BAD_ID,
        text=f"{printable(path)}: {shown(task_id)} can't be a task id.",
        hint=hint,
        path=path,
    )


def _no_folder(folder: Path) -> Fault:
    return Fault(
        code=Code.NO_FOLDER,
        text=f'settings.YAO_TASKS["DIRS"] names {printable(folder)}, which is no folder.',
        hint='Create it, or take it out of "DIRS".',
        path=folder,
    )


def _empty(folder: Path, endings: Sequence[str]) -> Fault:
    return Fault(
        code=Code.EMPTY_FOLDER,
        text=f"{printable(folder)} holds no definition files ({', '.join('*' + one for one in endings)}).",
        hint='Put one there, or set YAO_TASKS["DIRS"] without the folder.',
        path=folder,
    )
