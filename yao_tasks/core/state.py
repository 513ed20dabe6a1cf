"""The state folder: private files that the processes of one site on one machine share.

Others may write to the temporary folder it stands in by default, so nothing is trusted that could have been
planted there: the folder must be a real one, ours, and closed to everybody else; files are opened inside it
without following links.
"""

import os
import stat
from pathlib import Path


class UnsafeStateDir(OSError):
    """The state folder can't be used; the text says why, and what to do."""


def open_folder(path: Path) -> int:
    """Make the folder if it is missing, look whether it is safe, and answer its descriptor. Raises UnsafeStateDir."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        text = f"{path}: the folder for yao_tasks' state can't be used ({error.strerror}). Set YAO_TASKS[\"STATE_DIR\"]"
        raise UnsafeStateDir(f"{text} to a folder that only this user can write to.") from error
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        os.close(descriptor)
        raise UnsafeStateDir(
            f"{path}: the folder for yao_tasks' state belongs to user {found.st_uid} with mode "
            f"{stat.S_IMODE(found.st_mode):04o}. It must belong to the user who runs the site (uid {os.geteuid()}) "
            'with mode 0700: remove it, or set YAO_TASKS["STATE_DIR"] to another.'
        )
    return descriptor


def open_file(path: Path, name: str) -> int:
    """Open a file of the state folder for reading and writing, made if missing (0600). Raises UnsafeStateDir."""
    folder = open_folder(path)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, mode=0o600, dir_fd=folder)
    except OSError as error:
        raise UnsafeStateDir(f"{path / name}: can't be opened ({error.strerror}). Remove it.") from error
    finally:
        os.close(folder)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
        os.close(descriptor)
        raise UnsafeStateDir(f"{path / name}: is no plain file of this user's own. Remove it.")
    return descriptor
