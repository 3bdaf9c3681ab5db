"""The names by which users ask for our memos."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "memory": ".memory:InMemoryMemo",
    "none": ".memory:NoMemo",
}
