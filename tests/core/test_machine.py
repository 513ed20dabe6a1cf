"""Who a process is, and whether it lives."""

import os
import subprocess
import sys
from dataclasses import replace

from yao_tasks.core import machine


def test_this_process_lives_and_its_identity_stays() -> None:
    here = machine.mine()

    assert here == machine.mine()
    assert here.pid == os.getpid()
    assert here.is_alive() is True


def test_a_process_that_ended_is_dead_and_a_later_one_with_its_pid_is_another() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    there = replace(machine.mine(), pid=child.pid, born=machine.birth(child.pid))
    assert there.is_alive() is True
    assert replace(there, born="1").is_alive() is False

    child.communicate(b"\n")

    assert there.is_alive() is False


def test_what_can_not_be_seen_from_here_is_neither() -> None:
    here = machine.mine()

    assert replace(here, machine="another").is_alive() is None
    assert replace(here, pid_space="pid:[1]").is_alive() is None
    assert replace(here, boot="another", machine="another").is_alive() is None


def test_all_processes_of_an_earlier_boot_are_dead() -> None:
    assert replace(machine.mine(), boot="another").is_alive() is False
    assert replace(machine.mine(), boot="another", pid_space="pid:[1]").is_alive() is False
