"""What is run on a host for a block there: to start it, to look at it, to end it.

A process is known by its pid and the time of its start, since pids are used again. All of this
is bash, and needs nothing of the host but that, ``setsid`` and ``/proc``.
"""

import shlex
from collections.abc import Sequence

__all__ = ["CANCEL", "LOOK", "START", "block_script", "read_look", "read_start"]

GRACE = 2  # seconds from SIGTERM to SIGKILL

# How a process is doing: the time of its start, unless there is none or it has ended.
_STARTED = """
started() {
    local stat
    { read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 1
    stat=(${stat##*) })
    [[ ${stat[0]} != [ZX] ]] && echo "${stat[19]}"
}
"""

START = (
    _STARTED
    + """
setsid bash "$1/block.sh" < /dev/null > "$1/out" 2> "$1/err" &
echo "$! $(started $!)" > "$1/pid"
cat "$1/pid"
"""
)
"""Starts the block in the directory ``$1``, in a session of its own; says its pid and its start."""

LOOK = (
    _STARTED
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
    _STARTED
    + """
below() {
    local -A up; local file stat pid at
    for file in /proc/[0-9]*/stat; do
        { read -r stat < "$file"; } 2>/dev/null || continue
        pid=${stat%% *} stat=(${stat##*) })
        up[$pid]=${stat[1]}
    done
    for pid in "${!up[@]}"; do
        at=$pid
        while [[ -n ${up[$at]:-} && $at != "$1" ]]; do at=${up[$at]}; done
        [[ $at == "$1" && $pid != "$1" ]] && echo "$pid"
    done
}
for place; do
    [[ -f $place/pid ]] || continue
    read -r pid start < "$place/pid"
    [[ $(started "$pid") == "$start" ]] || continue
    # What leaves the session, and whose parent ends, could not be found afterwards.
    marks=("$pid:$start")
    for one in $(below "$pid"); do marks+=("$one:$(started "$one")"); done
    for mark in "${marks[@]}"; do kill -TERM "${mark%%:*}" 2>/dev/null; done
    for turn in $(seq 50); do
        left=
        for mark in "${marks[@]}"; do
            [[ $(started "${mark%%:*}") == "${mark#*:}" ]] && left+=" ${mark%%:*}"
        done
        [[ -n $left ]] || break
        (( turn < 40 )) || kill -KILL $left 2>/dev/null
        sleep GRACE_PART
    done
done
true
""".replace("GRACE_PART", str(GRACE / 40))
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
