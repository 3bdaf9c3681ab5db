#!/bin/bash
# Real MPI: Open MPI and MPICH side by side, and mpi4py built for each in an environment of its own.
#
#   mpi.sh up | env | status | down
#
# To be run as root. Everything goes by its full name: a plain `mpiexec` is whichever Debian's
# alternatives chose. MPI_PYTHON names the Python of both environments (python3).
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/boxes.sh"

S=$TESTBED_DIR/mpi
PYTHON=${MPI_PYTHON:-/usr/bin/python3}

built() { "$S/$1/bin/python" -c 'import mpi4py, mpi4py.MPI' 2>/dev/null; }

build() {       # build NAME: an environment whose mpi4py is compiled by mpicc.NAME (-O0: five times faster)
    ! built "$1" || return 0
    local began=$SECONDS
    rm -rf "${S:?}/$1"
    "$PYTHON" -m venv "$S/$1"
    CFLAGS=-O0 MPICC=mpicc.$1 MPI4PY_BUILD_MPICC=mpicc.$1 "$S/$1/bin/python" -m pip install \
        --quiet --disable-pip-version-check --no-binary mpi4py 'mpi4py==4.1.2' >&2
    say "built mpi4py for $1 in $((SECONDS - began)) s"
}

# A remote shell for one machine: the host is only noted, and the command runs here. Each node has
# a /tmp of its own: Open MPI's daemons keep their files there and would remove each other's.
remote_shell() {
    mkdir -p "$S/tmp"
    cat >"$S/here" <<'SH'
#!/bin/bash
while [[ $1 == -* ]]; do shift; done
LAMINA_TEST_HOST=$1
OMPI_MCA_orte_tmpdir_base=$(mktemp -d "$(dirname "$0")/tmp/XXXXXX")
export LAMINA_TEST_HOST OMPI_MCA_orte_tmpdir_base
shift
exec bash -c "$*"
SH
    chmod +x "$S/here"
}

up() {
    need_root
    packages openmpi-bin mpich libopenmpi-dev libmpich-dev gcc python3-dev python3-venv
    mkdir -p "$S"
    remote_shell
    build openmpi
    build mpich
    env_out
}

env_out() {
    built openmpi && built mpich || die "MPI is not here; as root: development/testbed/mpi.sh up"
    environment "$S/env" \
        TESTBED_MPIEXEC_OPENMPI mpiexec.openmpi TESTBED_PYTHON_OPENMPI "$S/openmpi/bin/python" \
        TESTBED_MPIEXEC_MPICH mpiexec.mpich TESTBED_PYTHON_MPICH "$S/mpich/bin/python" \
        TESTBED_MPI_HERE "$S/here"
}

status() {
    local one
    for one in openmpi mpich; do
        built "$one" || { echo "$one: no mpi4py"; return 1; }
        OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "mpiexec.$one" -n 2 \
            "$S/$one/bin/python" -c 'from mpi4py import MPI as m; print(m.Get_library_version().split(",")[0].split("\n")[0], m.COMM_WORLD.rank, m.COMM_WORLD.size)'
    done
}

case ${1:-} in
    up) up ;;
    env) env_out ;;
    status) status ;;
    down) rm -rf "$S" ;;
    *) sed -n '2,8p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'; exit 2 ;;
esac
