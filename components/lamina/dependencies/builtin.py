"""The names by which users ask for our dependency resolvers."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "deep": ".resolvers:DeepResolver",
    "shallow": ".resolvers:ShallowResolver",
}
