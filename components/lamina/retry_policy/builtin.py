"""The names by which users ask for our retry policies."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "default": ".policies:Default",
    "never": ".policies:Never",
    "retries": ".policies:Retries",
}
