#!/bin/sh
# Builds the frozen helper: build.sh OUT [extra gcc flags]. Static, so that it needs nothing while the OS is frozen.
set -eu
here=$(dirname "$0")
out=$1
shift
# shellcheck disable=SC2086
gcc -std=gnu11 -D_GNU_SOURCE -O2 -static -Wall -Wextra -Werror "$@" -o "$out" "$here"/*.c -llz4
