#!/bin/sh
# Every check that runs no test: types, style, promises, import arrows, generated files, the helper's build. Goes on
# after a failure, names each check, and ends with a line `N passed, N failed`. Changes nothing in the tree.
set -u
cd "$(dirname "$0")/.." || exit 2
PATH="$PWD/node_modules/.bin:$PATH"
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
passed=0
failed=0

check() {
  name=$1
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok      $name"
  else
    failed=$((failed + 1))
    printf '%s\nFAILED  %s\n' "$output" "$name"
  fi
}

check 'types (tsc)' tsc -p .
check 'style (biome)' biome check
check 'promises (oxlint)' oxlint --type-aware -c scripts/oxlint.json src lab packaging standby scripts test bench native
check 'import arrows' node scripts/check-arrows.ts
check 'generated files' node scripts/generate.ts --check
check 'frozen helper builds without a warning' sh native/frozen/build.sh "$build/frozen"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
