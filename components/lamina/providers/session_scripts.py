"""Bash that ends a process with all that it started, for where no Python of ours may run.

A process is known by its pid and the time of its start, since pids are used again. It needs
nothing of the host but bash, coreutils and ``/proc``.
"""

__all__ = ["END", "GUARD", "STARTED"]

_GRACE = 2  # seconds from SIGTERM to SIGKILL
_BY_THEMSELVES = 1  # seconds in which processes may leave that nobody wants any more

# How a process is doing: the time of its start, unless there is none or it has ended.
STARTED = """
started() {
    local stat
    { read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 1
    stat=(${stat##*) })
    [[ ${stat[0]} != [ZX] ]] && echo "${stat[19]}"
}
"""

END = (
    STARTED
    + """
below() {
    local -A up of
    local file stat pid at
    for file in /proc/[0-9]*/stat; do
        { read -r stat < "$file"; } 2>/dev/null || continue
        pid=${stat%% *} stat=(${stat##*) })
        up[$pid]=${stat[1]} of[$pid]=${stat[3]}
    done
    for pid in "${!up[@]}"; do
        at=$pid
        while [[ -n ${up[$at]:-} && $at != "$1" ]]; do at=${up[$at]}; done
        [[ $at == "$1" || ( -n $2 && ${of[$pid]} == "$2" ) ]] && [[ $pid != "$1" ]] && echo "$pid"
    done
}
end() {
    local pid=$1 start=$2 session=${3:-} one at mark turn left
    local marks=() now=$(started "$pid")
    # Somebody else has its number by now.
    [[ -z $now || $now == "$start" ]] || return 0
    # What leaves the session, and whose parent ends, could not be found afterwards.
    for one in $pid $(below "$pid" "$session"); do
        at=$(started "$one")
        (( ${at:-0} >= ${start:-0} )) && [[ -n $at ]] && marks+=("$one:$at")
    done
    for mark in "${marks[@]}"; do kill -TERM "${mark%%:*}" 2>/dev/null; done
    for turn in $(seq 50); do
        left=
        for mark in "${marks[@]}"; do
            [[ $(started "${mark%%:*}") == "${mark#*:}" ]] && left+=" ${mark%%:*}"
        done
        [[ -n $left ]] || break
        (( turn < 40 )) || kill -KILL $left 2>/dev/null
        sleep PART
    done
}
""".replace("PART", str(_GRACE / 40))
)
"""A function: end process ``$1``, which began at ``$2``, and all below it, and wait for that.

SIGTERM, and SIGKILL 2 s later. With ``$3`` also what is in that session, which may be all that
is left of it.
"""

GUARD = (
    END
    + """
start=$(started $$)
( (
    # Nobody ever writes: this ends with whoever holds the other end.
    read -r _
    for turn in $(seq 20); do
        [[ $(started $$) == "$start" ]] || break
        sleep PART
    done
    end $$ "$start"
    kill -KILL -- -$$
) <&0 >/dev/null 2>&1 & )
exec /bin/bash "$1" </dev/null
""".replace("PART", str(_BY_THEMSELVES / 20))
)
"""Becomes the script ``$1``, which ends when the pipe that is its stdin has no writer any more.

It must lead a session. Who watches is no child of the script's, which may wait for all it has.
"""
