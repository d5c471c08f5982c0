#!/bin/sh
# All checks and tests: check, unit, lab. Goes on after a failure so that everything is counted; the last line, alone,
# is the sum `N passed, N failed`.
set -u
cd "$(dirname "$0")/.." || exit 2
PATH="$PWD/node_modules/.bin:$PATH"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0

part() {
  echo "--- $1"
  shift
  "$@" 2>&1 | tee "$log"
  sum=$(tail -n 1 "$log" | sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed$/\1 \2/p')
  # A part that ends without its sum has failed as a whole.
  passed=$((passed + $(echo "${sum:-0 1}" | cut -d' ' -f1)))
  failed=$((failed + $(echo "${sum:-0 1}" | cut -d' ' -f2)))
}

part check sh scripts/check.sh
part unit node scripts/run-tests.ts unit
part lab node scripts/run-tests.ts lab

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
