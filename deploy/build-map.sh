#!/usr/bin/env bash
# Builds the live map (web/) with what web/package-lock.json pins, into web/dist. Nothing to do: done in a moment.
#
# The platform works without it, so a machine where it cannot be built is told so and goes on; --strict makes that an
# error, for who tests the map.
set -euo pipefail
cd "$(dirname "$0")/../web"

stamp=dist/.built
sources() {
    find . \( -name node_modules -o -name dist \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
}

if [[ -f $stamp && -d node_modules && $(< "$stamp") == "$(sources)" ]]; then
    exit 0
fi
echo "building the map"
began=$SECONDS
if npm ci --silent --no-progress > /dev/null && npm run --silent build > /dev/null; then
    sources > "$stamp"
    echo "built in $((SECONDS - began)) s"
else
    echo "the map could not be built: 'cd web && npm ci && npm run build' says why; all else works without it" >&2
    [[ ${1:-} != --strict ]]
fi
