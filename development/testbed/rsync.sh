#!/bin/bash
# The program rsync; tests start daemons of their own.
#
#   rsync.sh up      install what is missing; nothing of it needs to be started
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/boxes.sh"
[ "${1:-}" = up ] || exit 0
need_root
packages rsync
