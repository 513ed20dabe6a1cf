"""Children that go from test to test: a process with Django takes longer to start than most tests to run."""

import threading
import time
from typing import Any

from tests.conformance import bridge
from yao_tasks.core.children.child import Child
from yao_tasks.core.children.frames import ROOM
from yao_tasks.core.children.spawner import Spawner
from yao_tasks.offspring import child_environ

_server: bridge.Server | None = None
_lasting: Spawner | None = None
_idle: list[Child] = []
_making = threading.Lock()


class Lender:
    """As a `Spawner`, but a child that was idle at its end is set up again for the next test's task."""

    # Whether what others have used may be had, and others what this one has.
    lends = True

    def __init__(self, *_: Any, **__: Any) -> None:
        global _lasting, _server
        # Houses may be built at once, of which one stays.
        with _making:
            if _lasting is None:
                _server = bridge.Server()
                _lasting = Spawner(child_environ, most=2**20 + ROOM)
        self.lent: set[Child] = set()

    def spawn(self) -> Child:
        assert _lasting is not None
        child = None
        while self.lends and child is None and _idle:
            child = _idle.pop()
            if child.is_dead():
                _lasting.see_off(child)
                child = None
        if child is None:
            child = _lasting.spawn()
            assert _lasting._thread is not None
            # It stays from test to test, and is no leak.
            _lasting._thread.name = "tests-spawner"
        self.lent.add(child)
        return child

    def see_off(self, child: Child, *, hang_up: bool = True) -> None:
        assert _lasting is not None
        if (
            self.lends
            and hang_up
            and child in self.lent
            and not child.is_killed
            and child.run is None
            and not child.is_dead()
        ):
            child.jobs = 0
            _idle.append(child)
        else:
            _lasting.see_off(child, hang_up=hang_up)
        self.lent.discard(child)

    def stop(self, seconds: float) -> None:
        assert _lasting is not None
        until = time.monotonic() + seconds
        # Their workers are about to give them back.
        while (
            any(child.run is None and not child.is_killed for child in self.lent) and time.monotonic() < until
        ):
            time.sleep(0.001)
        for child in list(self.lent):
            # Still led by a worker whose event hangs, perhaps: the next test must not get it.
            child.kill()
            self.see_off(child)
