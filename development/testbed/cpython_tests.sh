#!/bin/sh
# CPython's own tests, for tests/integration/cpython: Debian's package for its Python 3.11.
#
# To be run as root. Does nothing where the package is there already.
set -eu
package=libpython3.11-testsuite

if dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "$package is not installed; as root: $0" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install -qq -y python3.11 "$package" >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -qq -y python3.11 "$package" >/dev/null
}
