"""The names by which users ask for our providers."""

__all__ = ["BUILTIN"]

BUILTIN = {"local": ".local:LocalProvider"}
