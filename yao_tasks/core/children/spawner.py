"""The one thread that starts all children of a process, and sees them off.

A child asks the kernel to be killed when its parent ends (PR_SET_PDEATHSIG), and the kernel takes that for the
*thread* that started it. So one thread starts them all, and outlives them. Started anew (exec), not forked: they
have nothing of their parent's but what is handed to them.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue

from yao_tasks.core.children.child import Child
from yao_tasks.core.children.frames import Channel
from yao_tasks.core.log import logger

# What a child that was asked to end is given before it is killed (s).
GENTLE_SECONDS = 2.0
# How often the thread looks after those that are ending (s).
LOOK = 0.02

# Argument 1 of the new process: see `child.main`. The path first: `yao_tasks` is found where the parent found it.
_BEGIN = (
    "import sys, json; given = json.loads(sys.argv[1]); sys.path[:] = given['path']; "
    "from yao_tasks.child.main import main; main(given)"
)

Answer = SimpleQueue[Child | BaseException]
Order = Callable[[], object]


class Spawner:
    """Starts children. Any thread may call any method; `environ` is called for each child."""

    def __init__(self, environ: Callable[[], Mapping[str, str]], *, most: int) -> None:
        """`most`: bytes of the largest frame that is taken from a child."""
        self.environ = environ
        self.most = most
        # All that have not been reaped.
        self.children: dict[int, Child] = {}
        # Those that are ending, and the moment (monotonic) at which they are killed.
        self._leaving: dict[Child, float] = {}
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        # Guards the start of the thread. Reentrant, as all that a finalizer may come back for.
        self._guard = threading.RLock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._until = 0.0

    def spawn(self) -> Child:
        """Start a child, which has heard nothing yet. OSError, RuntimeError where that can't be done."""
        answer: Answer = SimpleQueue()
        self._order(lambda: answer.put(self._try()))
        child = answer.get()
        if isinstance(child, BaseException):
            raise child
        return child

    def see_off(self, child: Child, *, hang_up: bool = True) -> None:
        """Let a child end by itself, kill it if that takes over 2 s, and reap it. Doesn't wait.

        `hang_up`: its channel ends now, which is how an idle one learns that it has to go.
        """
        if hang_up:
            child.channel.hang_up()
        kill_at = time.monotonic() + GENTLE_SECONDS
        # Kept by the thread alone.
        self._orders.put(lambda: self._leaving.setdefault(child, kill_at))

    def stop(self, seconds: float) -> None:
        """Have all children gone within that time, and end the thread."""
        self._until = time.monotonic() + seconds
        with self._guard:
            self._stopping = True
            thread = self._thread
        if thread is None:
            return
        self._orders.put(None)
        thread.join()

    def _order(self, order: Order) -> None:
        with self._guard:
            if self._stopping:
                raise RuntimeError("no more processes are started")
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="yao_tasks-spawner", daemon=True)
                thread.start()
                self._thread = thread
            # Inside: an order that comes in before the end was decided is still carried out.
            self._orders.put(order)

    def _run(self) -> None:
        while not self._stopping or self.children or not self._orders.empty():
            try:
                order = self._orders.get(timeout=LOOK if self._leaving else None)
            except Empty:
                order = None
            try:
                self._turn(order)
            except Exception:  # noqa: BLE001
                # Its end would be that of all children.
                logger.exception("A process of a process worker could not be looked after.")

    def _turn(self, order: Order | None) -> None:
        if order is not None:
            order()
        if self._stopping:
            self._send_all_away()
        self._look_after_the_leaving()

    def _send_all_away(self) -> None:
        for child in self.children.values():
            # One that was asked by a signal may be putting something away.
            if child not in self._leaving and not child.is_killed:
                child.channel.hang_up()
            self._leaving[child] = min(self._until, self._leaving.get(child, self._until))

    def _look_after_the_leaving(self) -> None:
        for child, kill_at in list(self._leaving.items()):
            if child.bury():
                self._leaving.pop(child, None)
                self.children.pop(child.pid, None)
            elif time.monotonic() >= kill_at:
                child.kill()

    def _try(self) -> Child | BaseException:
        try:
            if self._stopping:
                raise RuntimeError("no more processes are started")
            child = self._start()
        except Exception as error:  # noqa: BLE001 - it is raised where the child was asked for
            return error
        self.children[child.pid] = child
        return child

    def _start(self) -> Child:
        ours, theirs = socket.socketpair()
        try:
            given = {"fd": theirs.fileno(), "parent": os.getpid(), "path": sys.path, "most": self.most}
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [python(), "-P", *(f"-W{one}" for one in sys.warnoptions), "-c", _BEGIN, json.dumps(given)],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=dict(self.environ()),
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return Child(process, Channel(ours, self.most))


def python() -> str:
    """The interpreter: a server that embeds Python (uWSGI) says its own name in its place."""
    if "python" in Path(sys.executable or "").name:
        return sys.executable
    return str(Path(sys.prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}"))
