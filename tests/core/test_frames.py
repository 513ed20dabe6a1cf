"""Frames between a process and its children: what is read is held to the letter."""

import json
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from yao_tasks.core.children.budget import Budget
from yao_tasks.core.children.child import described
from yao_tasks.core.children.frames import BrokenFrame, Channel, Closed, encoded
from yao_tasks.core.children.link import Link

MOST = 10_000
Ends = tuple[socket.socket, Channel]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A raw socket, and a channel that reads what is written to it."""
    raw, other = socket.socketpair()
    raw.settimeout(10)
    yield raw, Channel(other, MOST)
    raw.close()
    other.close()


def framed(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


def test_what_is_sent_arrives_frame_by_frame_however_it_is_cut(ends: Ends) -> None:
    raw, channel = ends
    frames = [["run", 1, "ä", [None, 2.5, {"a": []}]], ["stop"], ["log", {"text": "x" * 5_000}]]
    data = b"".join(encoded(frame) for frame in frames)

    def write() -> None:
        for start in range(0, len(data), 7):
            raw.sendall(data[start : start + 7])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert [channel.receive() for _ in frames] == frames
    finally:
        thread.join()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[]",
        b"[1]",
        b'["a",NaN]',
        b'["a",Infinity]',
        b"[" * 9_000,
        b'["a",' + b"1" * 5_000 + b"]",
        b'["a"',
        b"\xff\xfe",
        b'"text"',
        b"null",
    ],
)
def test_what_is_no_frame_is_refused(ends: Ends, payload: bytes) -> None:
    """B3, between a process and its children."""
    raw, channel = ends
    raw.sendall(framed(payload))

    with pytest.raises(BrokenFrame):
        channel.receive()


def test_a_frame_that_is_too_long_is_refused_before_it_is_read(ends: Ends) -> None:
    raw, channel = ends
    raw.sendall(struct.pack(">I", MOST + 1))

    with pytest.raises(BrokenFrame, match="10,000 are taken"):
        channel.receive()


def test_a_frame_of_just_that_length_is_taken(ends: Ends) -> None:
    raw, channel = ends
    text = "x" * (MOST - len('["a",""]'))
    threading.Thread(
        target=raw.sendall, args=(framed(json.dumps(["a", text]).replace(" ", "").encode()),)
    ).start()

    assert channel.receive() == ["a", text]


def test_random_bytes_are_refused_and_nothing_else_happens() -> None:
    """B5, between a process and its children."""
    seed = random.randrange(2**32)
    print(f"seed: {seed}")
    chance = random.Random(seed)
    for _ in range(500):
        raw, other = socket.socketpair()
        with raw, other:
            raw.sendall(framed(chance.randbytes(chance.randrange(60))))
            raw.shutdown(socket.SHUT_WR)
            channel = Channel(other, MOST)

            with pytest.raises((BrokenFrame, Closed)):
                channel.receive()


def test_the_end_of_the_other_side_is_told(ends: Ends) -> None:
    raw, channel = ends
    raw.sendall(b"\x00\x00")
    raw.close()

    with pytest.raises(Closed):
        channel.receive()


def test_who_hangs_up_wakes_who_receives(ends: Ends) -> None:
    _, channel = ends
    seen: list[BaseException] = []

    def receive() -> None:
        try:
            channel.receive()
        except Closed as error:
            seen.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    channel.hang_up()
    thread.join(10)

    assert len(seen) == 1


def test_a_short_frame_is_not_sent_where_it_would_wait(ends: Ends) -> None:
    _, channel = ends
    while channel.send_if_it_fits(["stop", "x" * 1_000]):
        pass

    assert not channel.send_if_it_fits(["stop", "x" * 1_000])


def test_a_stop_that_comes_in_together_with_the_order_is_seen(ends: Ends) -> None:
    raw, channel = ends
    link = Link(channel)

    raw.sendall(encoded(["run", 1]) + encoded(["stop"]))
    link.next_order()
    link.begin((1, 1), closing=False)

    assert link.is_closing


class Interrupted:
    """A socket; in the middle of its work (`when`) the same thread is made to call something else, as by a signal."""

    def __init__(self, sock: socket.socket, when: str, call: Callable[[], object]) -> None:
        self.sock = sock
        self.when = when
        self.call = call

    def sendall(self, data: bytes) -> None:
        self.sock.sendall(data[:3])
        self.interrupt("send")
        self.sock.sendall(data[3:])

    def recv(self, size: int) -> bytes:
        self.interrupt("receive")
        return self.sock.recv(size)

    def interrupt(self, now: str) -> None:
        if self.when == now:
            self.when = ""
            self.call()


def test_a_frame_that_is_sent_in_the_middle_of_another_by_the_same_thread_comes_after_it(ends: Ends) -> None:
    raw, channel = ends
    sender = Channel(Interrupted(raw, "send", lambda: sender.send(["log", {}])), MOST)  # type: ignore[arg-type]

    thread = threading.Thread(target=sender.send, args=(["progress", 1],), daemon=True)
    thread.start()
    thread.join(10)

    assert not thread.is_alive()
    assert [channel.receive(), channel.receive()] == [["progress", 1], ["log", {}]]


@pytest.mark.parametrize("when", ["send", "receive"])
def test_who_asks_in_the_middle_of_another_call_of_the_same_thread_is_told_so(ends: Ends, when: str) -> None:
    _, channel = ends
    link = Link(channel)
    link.begin((1, 1), closing=False)
    channel.sock = Interrupted(channel.sock, when, lambda: link.ask(["call"]))  # type: ignore[assignment]

    with pytest.raises(RuntimeError, match="in the middle of another call"):
        link.ask(["call"])


# Deaths


def test_deaths_are_followed_at_once_until_there_were_too_many_in_a_minute() -> None:
    budget = Budget(2)
    waits = []

    for _ in range(15):
        budget.died(100.0, "exited with status 3")
        waits.append(budget.free_at(100.0) - 100.0)

    assert waits == [0] * 6 + [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_minute_later_deaths_are_forgotten() -> None:
    budget = Budget(1)
    for _ in range(20):
        budget.died(100.0, "exited with status 3")

    assert budget.free_at(130.0) == 160.0
    assert budget.free_at(160.0) == 160.0
    assert budget.free_at(161.0) == 161.0


def test_more_than_twenty_in_ten_minutes_are_told_however_slowly_they_follow_each_other() -> None:
    budget = Budget(4)
    told = []

    for number in range(21):
        told.append(budget.trouble(100.0 + 25 * number))
        budget.died(100.0 + 25 * number, f"exited with status {number}")

    assert told == [""] * 21
    text = "21 of its processes died within 10 minutes; the last one exited with status 20."
    assert budget.trouble(600.0) == text
    assert budget.trouble(699.0) == text
    assert budget.trouble(700.0) == ""


def test_while_the_next_child_has_to_wait_it_is_told_for_how_long() -> None:
    budget = Budget(1)
    for _ in range(21):
        budget.died(100.0, "was killed by signal 9 (SIGKILL; out of memory?)")

    text = "21 of its processes died within 10 minutes; the last one was killed by signal 9 (SIGKILL; out of "
    assert budget.trouble(150.0) == text + "memory?). The next starts in 10 s."


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "exited with status 0"),
        (3, "exited with status 3"),
        (-9, "was killed by signal 9 (SIGKILL; out of memory?)"),
        (-15, "was killed by signal 15 (SIGTERM)"),
        (-63, "was killed by signal 63 (unknown)"),
        (None, "doesn't end"),
    ],
)
def test_an_end_is_told_in_words(code: int | None, text: str) -> None:
    assert described(code) == text
