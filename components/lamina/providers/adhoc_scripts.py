"""What is run on a host for a block there: to start it, to look at it, to end it.

All of this is bash, and needs nothing of the host but that, ``setsid`` and ``/proc``.
"""

import shlex
from collections.abc import Sequence

from lamina.providers.session_scripts import END, STARTED

__all__ = ["CANCEL", "LOOK", "START", "block_script", "read_look", "read_start"]

START = (
    STARTED
    + """
setsid bash "$1/block.sh" < /dev/null > "$1/out" 2> "$1/err" &
echo "$! $(started $!)" > "$1/pid"
cat "$1/pid"
"""
)
"""Starts the block in the directory ``$1``, in a session of its own; says its pid and its start."""

LOOK = (
    STARTED
    + """
for place; do
    pid=0 start=none
    [[ -f $place/pid ]] && read -r pid start < "$place/pid"
    [[ ! -f $place/ec && $(started "$pid") == "$start" ]] && { echo running; continue; }
    # It may have ended between the two looks.
    if [[ -f $place/ec ]]; then echo "ended $(< "$place/ec")"
    elif [[ -d $place ]]; then echo killed
    else echo gone
    fi
done
"""
)
"""Says of the block in each of these directories whether it runs or how it has ended."""

CANCEL = (
    END
    + """
for place; do
    [[ -f $place/pid ]] || continue
    read -r pid start < "$place/pid"
    end "$pid" "$start" "$pid"
done
true
"""
)
"""Ends the blocks in these directories, and waits for it: SIGTERM, and SIGKILL 2 s later."""


def block_script(place: str, python: str, worker_init: str, command: str) -> str:
    """The script of one block; it leaves its exit status beside itself, and no key."""
    here = shlex.quote(place)
    return f"""#!/bin/bash
lamina_end() {{
    local status=$?
    trap '' TERM
    kill -TERM 0
    rm -rf {here}/luggage
    echo "$status" > {here}/ec.new && mv -f {here}/ec.new {here}/ec
}}
trap lamina_end EXIT
# Without this, bash would call a script that is told to end a success.
trap 'exit 143' HUP INT TERM
export LAMINA_LUGGAGE={here}/luggage LAMINA_PYTHON={shlex.quote(python)}
{worker_init}
{command}
"""


def read_start(said: str) -> bool:
    """Whether it was started; it may have ended already."""
    return said.split(" ", maxsplit=1)[0].isdecimal()


def read_look(said: str, count: int) -> Sequence[tuple[str, int | None]] | None:
    """A word for each block, and its exit status; None where the answer makes no sense."""
    found: list[tuple[str, int | None]] = []
    for line in said.splitlines():
        word, _, code = line.partition(" ")
        if word not in ("running", "ended", "killed", "gone"):
            return None
        found.append((word, int(code) if code.strip().isdecimal() else None))
    return found if len(found) == count else None
