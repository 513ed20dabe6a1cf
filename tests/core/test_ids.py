"""Job ids: increasing, never twice, whoever asks and whatever becomes of the file."""

import fcntl
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from yao_tasks.core.ids import BLOCK, EPOCH, FILE, LIMIT, RANDOM_BLOCKS, Ids, Owner, birth
from yao_tasks.core.state import open_file

# 2026-11-24, in seconds since 1970.
TODAY = 1_795_500_000.0
ROOT = Path(__file__).parent.parent.parent


def ids_in(folder: Path, wall: float = TODAY) -> Ids:
    return Ids(folder / "state", lambda: wall)


def test_ids_increase_within_a_process_across_blocks(tmp_path: Path) -> None:
    ids = ids_in(tmp_path)

    taken = [ids.next() for _ in range(2 * BLOCK + 10)]

    assert taken == sorted(set(taken))
    assert all(0 < job_id < LIMIT for job_id in taken)
    assert len({job_id // BLOCK for job_id in taken}) == 3


def test_the_first_block_is_the_centiseconds_since_2026(tmp_path: Path) -> None:
    assert ids_in(tmp_path).next() == int((TODAY - EPOCH) * 100) * BLOCK


def test_a_restart_goes_on_behind_the_last_block_though_the_clock_was_set_back(tmp_path: Path) -> None:
    before = ids_in(tmp_path).next()

    after = ids_in(tmp_path, wall=EPOCH - 1000.0).next()

    assert after == before + BLOCK


def test_a_lost_file_makes_no_id_come_twice_once_the_clock_has_moved(tmp_path: Path) -> None:
    before = ids_in(tmp_path).next()
    (tmp_path / "state" / FILE).unlink()

    after = ids_in(tmp_path, wall=TODAY + 0.02).next()

    assert after > before + BLOCK - 1


@pytest.mark.parametrize("text", ["", "[", "{}", "[1]", '[{"block": "x", "pid": 1, "born": ""}]', "\x00"])
def test_a_file_cut_short_by_a_crash_is_no_error(tmp_path: Path, text: str) -> None:
    ids_in(tmp_path).next()
    (tmp_path / "state" / FILE).write_text(text)

    assert ids_in(tmp_path, wall=TODAY + 1).next() > 0


def test_threads_never_share_an_id(tmp_path: Path) -> None:
    ids, taken = ids_in(tmp_path), []

    def take() -> None:
        mine = [ids.next() for _ in range(30_000)]
        taken.extend(mine)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(set(taken)) == 120_000


def _take(folder: Path, queue: "multiprocessing.Queue[list[int]]") -> None:
    queue.put([Ids(folder / "state").next() for _ in range(5)])


@pytest.mark.slow
def test_processes_never_share_a_block(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[list[int]] = context.Queue()
    processes = [context.Process(target=_take, args=(tmp_path, queue)) for _ in range(4)]
    for process in processes:
        process.start()
    blocks = {queue.get(timeout=30)[0] // BLOCK for _ in processes}
    for process in processes:
        process.join(30)
    queue.close()
    queue.join_thread()

    assert len(blocks) == 4


def test_the_file_names_the_process_that_took_a_block(tmp_path: Path) -> None:
    ids = ids_in(tmp_path)
    job_id = ids.next()

    owner = ids_in(tmp_path).owner(job_id)

    assert owner is not None
    assert (owner.pid, owner.is_alive) == (os.getpid(), True)
    assert ids.processes() == [os.getpid()]
    assert ids.is_ours(job_id)
    assert not ids_in(tmp_path).is_ours(job_id)


def test_a_process_that_has_ended_is_not_counted(tmp_path: Path) -> None:
    folder = str(tmp_path / "state")
    code = (
        f"from pathlib import Path; from yao_tasks.core.ids import Ids; print(Ids(Path({folder!r})).next())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    ids = Ids(tmp_path / "state")
    ids.next()

    owner = ids.owner(int(answer.stdout))

    assert owner is not None
    assert not owner.is_alive
    assert ids.processes() == [os.getpid()]


def test_a_later_process_with_the_same_pid_is_another(tmp_path: Path) -> None:
    ids = ids_in(tmp_path)
    ids.next()
    file = tmp_path / "state" / FILE
    rows = json.loads(file.read_text())
    file.write_text(json.dumps([{**rows[0], "born": "1"}]))

    assert ids.processes() == []


def test_without_a_folder_ids_start_at_a_random_block_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file in the way")
    ids = ids_in(tmp_path)

    with caplog.at_level(logging.WARNING, "yao_tasks"):
        taken = [ids.next() for _ in range(BLOCK + 1)]

    assert taken == sorted(set(taken))
    assert RANDOM_BLOCKS[0] <= taken[0] // BLOCK < RANDOM_BLOCKS[1]
    assert taken[-1] < LIMIT
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "STATE_DIR" in caplog.text


@pytest.mark.slow
def test_the_file_does_not_grow_without_bound(tmp_path: Path) -> None:
    for _ in range(300):
        ids_in(tmp_path).next()

    assert len(json.loads((tmp_path / "state" / FILE).read_text())) == 256


def test_a_process_that_never_was_has_no_birth() -> None:
    assert birth(2**22 + 1) == ""


def test_a_child_that_is_forked_while_the_file_is_locked_does_not_wait_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, in_child = ids_in(tmp_path), ids_in(tmp_path)
    pids: list[int] = []

    def fork_while_locked(text: str) -> list[Owner]:
        # Another thread would fork just here, while this one holds the lock.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            monkeypatch.undo()
            os._exit(0 if in_child.next() // BLOCK < RANDOM_BLOCKS[0] else 1)
        pids.append(pid)
        return []

    monkeypatch.setattr("yao_tasks.core.ids._read", fork_while_locked)

    ids.next()

    assert os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 0


def test_a_lock_that_nobody_gives_back_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("yao_tasks.core.ids.PATIENCE", 0.05)
    file = open_file(tmp_path / "state", FILE)
    fcntl.flock(file, fcntl.LOCK_EX)

    job_id = ids_in(tmp_path).next()

    os.close(file)
    assert job_id // BLOCK >= RANDOM_BLOCKS[0]
    assert "has been locked" in caplog.text
