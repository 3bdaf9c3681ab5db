# What the testbed's scripts share: packages, processes that are remembered, and boxes.
#
# Source it; it does nothing by itself. All state lies under $TESTBED_DIR. Nothing is ever killed
# by its name: a process is remembered by its pid and the time of its start.

TESTBED_DIR=${TESTBED_DIR:-/tmp/lamina-testbed}
export TESTBED_DIR DEBIAN_FRONTEND=noninteractive

say() { printf '# %s\n' "$*" >&2; }
die() { printf '# error: %s\n' "$*" >&2; exit 1; }
need_root() { [ "$(id -u)" = 0 ] || die "the testbed installs packages and makes namespaces: run it as root"; }

# packages NAME...: install those that are missing. No service of theirs is started.
packages() {
    local one missing=() began=$SECONDS policy=/usr/sbin/policy-rc.d ours= log
    for one in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$one" 2>/dev/null)" = installed ] || missing+=("$one")
    done
    [ ${#missing[@]} != 0 ] || return 0
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        ours=1
    fi
    log=$(mktemp)
    _install() {
        apt-get -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -qq -y --no-install-recommends \
            install "${missing[@]}" >"$log" 2>&1
    }
    if ! _install; then
        apt-get -o DPkg::Lock::Timeout=600 -qq update >>"$log" 2>&1
        _install || { cat "$log" >&2; [ -z "$ours" ] || rm -f $policy; die "cannot install ${missing[*]}"; }
    fi
    rm -f "$log"
    [ -z "$ours" ] || rm -f $policy
    say "installed ${missing[*]} in $((SECONDS - began)) s"
}

# Processes. A pid file holds the pid and the clock tick of its start.

started() { [ -r "/proc/$1/stat" ] && sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
running() {     # running PIDFILE: prints the pid while that very process runs
    local pid tick
    [ -s "$1" ] || return 1
    read -r pid tick <"$1" || true
    case $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -c1) in Z | X | '') return 1 ;; esac
    [ "$tick" = "$(started "$pid")" ] || return 1
    echo "$pid"
}
background() {  # background PIDFILE LOG COMMAND...: in a session of its own
    local file=$1 log=$2
    shift 2
    mkdir -p "$(dirname "$file")" "$(dirname "$log")"
    setsid "$@" >>"$log" 2>&1 </dev/null &
    echo "$! $(started $! || echo 0)" >"$file"
}
stop() {        # stop PIDFILE [SECONDS]: SIGTERM, then SIGKILL
    local pid left=$((${2:-10} * 10))
    pid=$(running "$1") || { rm -f "$1"; return 0; }
    kill -TERM "$pid" 2>/dev/null || true
    while [ $left -gt 0 ] && running "$1" >/dev/null; do sleep 0.1; left=$((left - 1)); done
    if running "$1" >/dev/null; then kill -KILL "$pid" 2>/dev/null || true; fi
    rm -f "$1"
}
wait_for() {    # wait_for SECONDS COMMAND...: until it succeeds
    local left=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        sleep 0.1
    done
}
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_ports() {  # free_ports COUNT: that many ports, all different
    python3 - "$1" <<'PYTHON'
import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*[one.getsockname()[1] for one in held])
PYTHON
}

# A box stands for a host: a command in pid, mount and host name namespaces of its own, with its
# own boot id. Its first process is a bash, which reaps what the command orphans; to kill the box
# is to cut its power. Lines of the environment file are printed too, for a caller to read.

box() {         # box PIDFILE LOG HOSTNAME COMMAND...
    local file=$1 log=$2 host=$3 boot=$1.boot
    shift 3
    cat /proc/sys/kernel/random/uuid >"$boot"
    background "$file" "$log" unshare --pid --mount --uts --fork --mount-proc --kill-child=KILL \
        bash -c '[ -z "$1" ] || hostname "$1"
            mount --bind "$2" /proc/sys/kernel/random/boot_id
            shift 2; "$@" & wait $!' \
        bash "$host" "$boot" "$@"
}
box_first() {   # the box's first process, as it is seen from outside
    local pid
    pid=$(running "$1") && tr -d ' ' <"/proc/$pid/task/$pid/children"
}
box_process() { # box_process PIDFILE NAME: that process of the box, as it is seen from outside
    local first one
    first=$(box_first "$1") && [ -n "$first" ] || return 1
    for one in $(cat "/proc/$first/task/$first/children"); do
        [ "$(cat "/proc/$one/comm" 2>/dev/null)" != "$2" ] || { echo "$one"; return 0; }
    done
    return 1
}
box_kill() {
    local pid first left=50
    pid=$(running "$1") || { rm -f "$1"; return 0; }
    first=$(box_first "$1") || true
    [ -z "$first" ] || kill -KILL "$first" 2>/dev/null || true
    kill -KILL "$pid" 2>/dev/null || true
    while [ $left -gt 0 ] && running "$1" >/dev/null; do sleep 0.1; left=$((left - 1)); done
    rm -f "$1"
}

environment() { # environment FILE NAME VALUE...: writes what a test needs, and prints it
    local file=$1
    shift
    : >"$file"
    while [ $# -gt 1 ]; do
        printf 'export %s=%q\n' "$1" "$2" | tee -a "$file"
        shift 2
    done
}
