#!/bin/bash
# The programs that launchers call: Open MPI and MPICH, side by side, and GNU parallel.
#
#   launchers.sh up      install what is missing; nothing of it needs to be started
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/boxes.sh"
[ "${1:-}" = up ] || exit 0
need_root
packages openmpi-bin mpich parallel
