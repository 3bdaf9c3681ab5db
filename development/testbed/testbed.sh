#!/bin/bash
# What the tests marked `service` need, all of it: testbed.sh up | down
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case ${1:-} in
    # Where one does not come up, what has come up is not left behind.
    up)
        "$HERE/cpython_tests.sh"
        for one in slurm pbs gridengine launchers mpi rsync sshd; do
            "$HERE/$one.sh" up >/dev/null || { "$0" down; exit 1; }
        done
        ;;
    down) for one in sshd gridengine pbs slurm; do "$HERE/$one.sh" down; done ;;
    *) sed -n '2p' "${BASH_SOURCE[0]}" | sed 's/^# //' >&2; exit 2 ;;
esac
