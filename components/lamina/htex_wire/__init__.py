"""The sockets between interchange and managers, encrypted and authenticated."""

from lamina.htex_wire.endpoints import addresses_of
from lamina.htex_wire.finding import find, probe_time
from lamina.htex_wire.keys import Keys, WireError, make_keys, read_keys
from lamina.htex_wire.refused import Refused
from lamina.htex_wire.sockets import Dealer, Router

__all__ = [
    "Dealer",
    "Keys",
    "Refused",
    "Router",
    "WireError",
    "addresses_of",
    "find",
    "make_keys",
    "probe_time",
    "read_keys",
]
