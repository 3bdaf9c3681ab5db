#!/bin/bash
# The commands of PBS and Torque (qsub, qstat, qdel) on the Slurm of slurm.sh: SchedMD's wrappers.
#
#   pbs.sh up | env | down      slurm.sh must be up
#
# There is no PBS in Debian. The wrappers' package and gridengine-client both own /usr/bin/qsub,
# so its files are unpacked below $TESTBED_DIR, and `env` puts them on PATH.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/boxes.sh"

S=$TESTBED_DIR/pbs

up() {
    need_root
    packages libslurm-perl libslurmdb-perl libswitch-perl perl
    if [ ! -x "$S/usr/bin/qsub" ]; then
        mkdir -p "$S/packages"
        chmod 755 "$TESTBED_DIR" "$S" "$S/packages"
        (cd "$S/packages" && apt-get -qq download slurm-wlm-torque >&2)
        dpkg-deb -x "$S"/packages/slurm-wlm-torque_*.deb "$S"
        # The wrappers look for Slurm's commands beside themselves.
        local one
        for one in sbatch salloc srun squeue scancel scontrol; do
            ln -sfn "/usr/bin/$one" "$S/usr/bin/$one"
        done
    fi
    env_out
}

env_out() {
    [ -x "$S/usr/bin/qsub" ] || die "PBS is not here; as root: development/testbed/pbs.sh up"
    environment "$S/env" TESTBED_PBS_BIN "$S/usr/bin"
}

case ${1:-} in
    up) up ;;
    env) env_out ;;
    down) rm -rf "$S" ;;
    *) sed -n '2,7p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
