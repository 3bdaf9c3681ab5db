"""The sockets between interchange and managers, encrypted and authenticated."""

from lamina.htex_wire.sockets import (
    Dealer,
    Keys,
    Router,
    WireError,
    make_keys,
    reachable,
    read_keys,
)

__all__ = ["Dealer", "Keys", "Router", "WireError", "make_keys", "reachable", "read_keys"]
