from collections.abc import Sequence
from pathlib import Path

from lamina.conformance import RESULT_STORE
from lamina.memo import CallPrint, InMemoryResultStore, MemoKey, StoredResult
from lamina.vocabulary import Clock
from tests.kits import assert_each_clause_can_fail


class Inventive(InMemoryResultStore):
    def get(self, key: MemoKey) -> StoredResult | None:
        return super().get(key) or StoredResult(key, "t", 0.0, "value", (b"",))


class ForgetsMarks(InMemoryResultStore):
    def put(self, results: Sequence[StoredResult]) -> None:
        super().put([one._replace(outputs=()) for one in results])


class KeepsTheFirst(InMemoryResultStore):
    def put(self, results: Sequence[StoredResult]) -> None:
        super().put([one for one in results if self.get(one.key) is None])


class Lends(InMemoryResultStore):
    def put(self, results: Sequence[StoredResult]) -> None:
        for one in results:
            self._results[one.key] = one


class NoHistory(InMemoryResultStore):
    def recent(self, function: str) -> Sequence[CallPrint]:
        return ()


class LosesOnSync(InMemoryResultStore):
    def sync(self) -> None:
        self._results.clear()


class OpensOnce(InMemoryResultStore):
    opened = False

    def open(self, run_dir: Path, clock: Clock) -> None:
        if self.opened:
            raise OSError("was open before")
        self.opened = True


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        RESULT_STORE,
        {
            "result_store.get.stranger": Inventive,
            "result_store.put": ForgetsMarks,
            "result_store.put.later": KeepsTheFirst,
            "result_store.put.copied": Lends,
            "result_store.recent": NoHistory,
            "result_store.sync": LosesOnSync,
            "result_store.close.twice": OpensOnce,
        },
    )
