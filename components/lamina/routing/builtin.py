"""The names by which users ask for our routers."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "least_loaded": ".routers:LeastLoaded",
    "round_robin": ".routers:RoundRobin",
}
