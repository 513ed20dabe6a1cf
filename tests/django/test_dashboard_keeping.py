"""What costs the database something is asked for seldom, and more seldom while nothing has changed."""

from collections.abc import Iterator

import pytest

from tests.conftest import Site
from yao_tasks.dashboard import keeping
from yao_tasks.dashboard.durations import waited
from yao_tasks.journal.sql import aware


class Database:
    """Answers after so many seconds, by a clock of the test's own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.cost = 0.05
        self.mark: object = "a"
        self.asked = 0
        self.marks = 0
        monkeypatch.setattr(keeping.time, "monotonic", lambda: self.now)

    def ask(self) -> int:
        self.asked += 1
        self.now += self.cost
        return self.asked

    def is_new(self) -> object:
        self.marks += 1
        return self.mark

    def kept(self, after: float = 0.0) -> int:
        self.now += after
        return keeping.kept("it", self.ask, mark=self.is_new)[0]


@pytest.fixture
def database(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    keeping.forget()
    with monkeypatch.context() as patch:
        yield Database(patch)
    keeping.forget()


def test_what_took_a_twentieth_of_a_second_is_kept_for_five(database: Database) -> None:
    assert [database.kept(), database.kept(4.9)] == [1, 1]
    database.mark = "b"

    assert database.kept(0.2) == 2


def test_while_nothing_has_changed_it_is_asked_ten_times_less_often(database: Database) -> None:
    database.kept()

    assert [database.kept(5.1) for _ in range(9)] == [1] * 9
    assert database.kept(5.1) == 2
    assert database.asked == 2


def test_what_is_cheap_is_asked_without_a_look_for_changes(database: Database) -> None:
    database.cost = 0.005
    database.kept()
    marks = database.marks

    assert [database.kept(0.6), database.kept(0.6)] == [2, 3]
    assert database.marks == marks


def test_how_old_it_may_be_grows_at_once_and_shrinks_slowly(database: Database) -> None:
    ages = []
    for cost in (0.05, 0.1, 0.05, 0.05):
        database.cost, database.mark = cost, object()
        database.now += 20
        ages.append(keeping.kept("it", database.ask, mark=database.is_new)[1])

    assert ages == pytest.approx([5, 10, 9, 8.1])


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (7.3, "7 s"),
        (59.9, "59 s"),
        (95, "1 min 30 s"),
        (119.9, "1 min 30 s"),
        (120, "2 min"),
        (700, "11 min"),
    ],
)
def test_a_wait_is_told_in_steps_once_it_is_long(seconds: float, told: str) -> None:
    # The second of the day is a whole minute's, and what waits was added with one.
    began = 1_800_000_000.0

    assert waited(seconds, aware(began + seconds)) == told
