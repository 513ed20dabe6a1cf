"""Processes tell each other of jobs by datagrams."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from yao_tasks.journal.durable import waking
from yao_tasks.journal.durable.waking import Mouth


def test_many_threads_that_tell_for_the_first_time_share_one_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []
    real, both = socket.socket, threading.Barrier(8)

    def slow(*args: Any) -> socket.socket:
        made.append(real(*args))
        threading.Event().wait(0.01)
        return made[-1]

    def tell() -> None:
        both.wait(10)
        mouth.tell("job")

    monkeypatch.setattr(waking.socket, "socket", slow)
    mouth = Mouth(tmp_path)
    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mouth.close()
    mouth.tell("job")

    assert len(made) == 1
    assert made[0].fileno() == -1
