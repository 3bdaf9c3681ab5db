#!/bin/bash
# Two hosts on this machine, joined by one cable: hosts.sh up | down | cut | heal | exec HOST COMMAND...
# They are network namespaces, `program` (10.231.79.1) and `node` (10.231.79.2); nothing of them
# touches the machine's own network. `cut` loses packets and leaves connections as they are.
set -euo pipefail
NET=10.231.79
ns() { echo "lamina-$1"; }

case ${1:-} in
    up)
        command -v ip >/dev/null || apt-get install -qq -y --no-install-recommends iproute2 >/dev/null
        "$0" down
        for host in program node; do
            ip netns add "$(ns $host)"
            ip -n "$(ns $host)" link set lo up
        done
        # The cable ends in a bridge, so that cutting it takes no address away from the program.
        ip -n "$(ns program)" link add bridge type bridge
        ip -n "$(ns program)" link add cable type veth peer name eth0 netns "$(ns node)"
        ip -n "$(ns program)" link set cable master bridge up
        ip -n "$(ns program)" addr add $NET.1/24 dev bridge
        ip -n "$(ns program)" link set bridge up
        ip -n "$(ns node)" addr add $NET.2/24 dev eth0
        ip -n "$(ns node)" link set eth0 up
        ;;
    cut) ip -n "$(ns program)" link set cable down ;;
    heal) ip -n "$(ns program)" link set cable up ;;
    exec) host=$2; shift 2; exec ip netns exec "$(ns "$host")" "$@" ;;
    down)
        for host in program node; do
            ip netns del "$(ns $host)" 2>/dev/null || true
        done
        ;;
    *) sed -n '2,4p' "${BASH_SOURCE[0]}" | sed 's/^# //' >&2; exit 2 ;;
esac
