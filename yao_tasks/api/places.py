"""How many event streams there may be at once: of a process, and of a reader where each holds a thread."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from yao_tasks import servers
from yao_tasks.api.answers import later

# Under ASGI a stream is some kilobytes and a socket; a process may have 1,024 of these, by default.
MOST = 2_000
# Under WSGI it holds a thread.
MOST_IN_THREADS = 50
MOST_OF_A_READER = 3
# A stream that is refused is asked for again; until then the status can be (s).
RETRY_AFTER = 10

_streams: Counter[str] = Counter()
# Guards the streams. A place may be given back by a finalizer, inside of anything.
_counting = threading.RLock()


class Place:
    """A stream's place, until `leave` is called, or nobody holds it any more: a stream may end before it began."""

    def __init__(self, reader: str) -> None:
        self.reader = reader
        self.taken = True

    def leave(self) -> None:
        """Give it back; once, however often it is called."""
        with _counting:
            if self.taken:
                self.taken = False
                _streams[self.reader] -= 1
                if not _streams[self.reader]:
                    del _streams[self.reader]

    def __del__(self) -> None:
        self.leave()


def take(reader: str, environ: Mapping[str, Any], *, threaded: bool) -> Place:
    """A place for one more stream. Refused with 429 where there is none."""
    most, most_of_one = _most(environ) if threaded else (_most_of_files(), MOST)
    with _counting:
        if _streams.total() < most and _streams[reader] < most_of_one:
            _streams[reader] += 1
            return Place(reader)
    raise later(gettext("There are too many event streams: ask for the status instead."), RETRY_AFTER)


def count() -> int:
    """How many there are in this process."""
    return _streams.total()


def _most(environ: Mapping[str, Any]) -> tuple[int, int]:
    threads = servers.threads(environ)
    most = MOST_IN_THREADS if threads is None else min(MOST_IN_THREADS, servers.stream_threads(threads))
    return most, MOST_OF_A_READER


def _most_of_files() -> int:
    """Half of the files that the process may have open: the others are for everything else."""
    try:
        import resource
    except ImportError:  # Windows
        return MOST
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST if files == resource.RLIM_INFINITY else min(MOST, files // 2)
