"""The names by which users ask for our launchers."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "simple": ".local:SimpleLauncher",
    "single_node": ".local:SingleNodeLauncher",
    "wrapped": ".local:WrappedLauncher",
}
