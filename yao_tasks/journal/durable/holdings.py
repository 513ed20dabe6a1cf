"""What this process has claimed and not yet let out of its hands."""

from collections import Counter
from collections.abc import Collection, Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

from yao_tasks.journal.durable import endings
from yao_tasks.journal.durable.claims import Claim
from yao_tasks.journal.durable.desks import Desk
from yao_tasks.journal.durable.endings import Ending


class Holdings:
    """The claims, by the keys of their rows. For the clerk's thread."""

    def __init__(self) -> None:
        self._claimed: dict[int, tuple[Desk, Claim]] = {}

    def __len__(self) -> int:
        return len(self._claimed)

    def suspects(self, *, but: Collection[int]) -> int:
        """How many of them, without these, may be what kills a process."""
        return sum(claim.suspect for key, (_, claim) in self._claimed.items() if key not in but)

    def leaving(self, keys: Iterable[int]) -> Counter[Desk]:
        """Of how many of these each desk would be rid."""
        return Counter(self._claimed[key][0] for key in keys if key in self._claimed)

    def deliver(self, desk: Desk, claimed: list[Claim]) -> list[Claim]:
        """Have its pool run these. Answers those that it can't."""
        desk.held += len(claimed)
        for claim in claimed:
            self._claimed[claim.id] = (desk, claim)
        return desk.claimant.adopt(claimed)

    def let_out(self, key: int, ending: Ending | None = None) -> None:
        """One is this process's no longer; `ending`: since its run is over."""
        desk, _ = self._claimed.pop(key, (None, None))
        if desk is None:
            return
        desk.held -= 1
        if ending is not None and ending.ended_at is not None and ending.started_at is not None:
            desk.ran(ending.ended_at - ending.started_at)

    def compare(self, connection: BaseDatabaseWrapper, owner: int) -> None:
        """Compare them with the rows: somebody may have cancelled one, or the answer to a commit been lost."""
        held = endings.held(connection, owner)
        for key, (desk, claim) in list(self._claimed.items()):
            if (key, claim.token) not in held:
                self.let_out(key)
                desk.claimant.taken_away(claim)
        endings.give_back(connection, sorted(key for key in held if key[0] not in self._claimed))
