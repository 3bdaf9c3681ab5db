"""What runs on the workers: it alone knows what is in a payload."""

import json

__all__ = ["pack", "run", "unpack"]


def pack(source: str, name: str, arguments: list[object]) -> bytes:
    """Write down a call of a function that is known by its source."""
    return json.dumps({"source": source, "name": name, "arguments": arguments}).encode()


def run(payload: bytes) -> bytes:
    """Make the function, call it, and write down what it returns."""
    call = json.loads(payload)
    names: dict[str, object] = {"__name__": call["name"]}
    exec(compile(call["source"], call["name"], "exec"), names)
    function = names[call["name"]]
    assert callable(function), f"{call['name']} is no function"
    return json.dumps(function(*call["arguments"])).encode()


def unpack(answer: bytes) -> object:
    """Read what a call has returned."""
    return json.loads(answer)
