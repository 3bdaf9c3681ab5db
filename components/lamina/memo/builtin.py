"""The names by which users ask for our memos and stores of results."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "memo": {
        "memory": ".memory:InMemoryMemo",
        "none": ".memory:NoMemo",
        "stored": ".stored:StoredMemo",
    },
    "result_stores": {
        "log": "..memo_log:LogResultStore",
        "memory": ".stores:InMemoryResultStore",
    },
}
