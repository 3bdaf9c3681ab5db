"""How a manager finds its interchange: all ways at once, and the first that holds the keys."""

import socket
import threading
import time
from collections.abc import Iterable
from queue import Empty, SimpleQueue

from lamina.htex_wire.endpoints import parse
from lamina.htex_wire.keys import Keys
from lamina.htex_wire.sockets import Dealer

__all__ = ["find", "probe_time"]

STRANGER = "something answers that does not hold the keys of this run"


def probe_time(names: Iterable[str]) -> float:
    """For how many seconds a manager is to look for one of these."""
    return max((parse(name).probe for name in names), default=0.0)


def find(
    names: Iterable[str], keys: Keys | None, timeout: float
) -> tuple[Dealer | None, list[str]]:
    """Connect to the first address that leads to the interchange, within ``timeout`` s.

    Returns the connection, and of each attempt that failed the address and what became of it.
    A Unix socket is not tried but taken at its word: it is there or will be.
    """
    until = time.monotonic() + timeout
    addresses = [address for name in names for address in parse(name).addresses()]
    for address in addresses:
        if address.startswith("ipc://"):
            return Dealer(address, keys), []
    answers: SimpleQueue[tuple[str, str | OSError]] = SimpleQueue()
    for address in addresses:
        # Threads, because a name may have to be looked up, and that takes what it takes.
        arguments = (address, timeout, answers)
        threading.Thread(target=_try, args=arguments, daemon=True).start()
    waiting = dict.fromkeys(addresses)
    attempts: list[str] = []
    while waiting:
        try:
            address, answer = answers.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            break
        waiting.pop(address, None)
        if isinstance(answer, str):
            dealer = Dealer(answer, keys)
            if dealer.shakes_hands(max(0.1, until - time.monotonic())):
                return dealer, attempts
            dealer.close()
            attempts.append(f"{address}: {STRANGER}")
        else:
            attempts.append(f"{address}: {answer}")
    attempts += [f"{address}: no answer within {timeout:g} s" for address in waiting]
    return None, attempts


def _try(address: str, timeout: float, answers: "SimpleQueue[tuple[str, str | OSError]]") -> None:
    """Say where a tcp connection got to, as an address that needs no look-up, or why not."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout) as link:
            peer = link.getpeername()[0]
    except OSError as error:
        answers.put((address, error))
    else:
        answers.put((address, f"tcp://[{peer}]:{port}" if ":" in peer else f"tcp://{peer}:{port}"))
