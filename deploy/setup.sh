#!/usr/bin/env bash
# Makes .venv with exactly what requirements.lock pins, and this project in it. Nothing to do: done in a moment.
#
# A bare machine needs Python 3.11 with venv, Java 17, Maven and, for `make check`, Node 18 with npm. As root on Debian
# what is missing is installed by apt; anybody else is told in one sentence. pip installs uv (pinned, with hashes, as
# everything) and uv the rest: 4 s instead of pip's 53 s. Where uv cannot reach what pip can (a mirror that only pip is
# configured for), pip does it all.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
venv=.venv
stamp=$venv/.installed

fingerprint() {
    { cat requirements.lock pyproject.toml deploy/setup.sh; pwd; } | sha256sum | cut -d ' ' -f 1
}

if [[ -f $stamp && $(< "$stamp") == "$(fingerprint)" && -x $venv/bin/flight ]]; then
    exit 0
fi

java_is_old() {
    local version
    version=$(java -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p' | head -n 1)
    [[ -z $version || $version -lt 17 ]]
}

missing=()
if ! command -v "$python" > /dev/null; then
    missing+=(python3 python3-venv)
elif ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    missing+=(python3-venv)
fi
if ! command -v java > /dev/null || java_is_old; then
    missing+=(openjdk-17-jre-headless)
fi
command -v mvn > /dev/null || missing+=(maven)
if ! command -v node > /dev/null; then
    missing+=(nodejs npm)
elif ! command -v npx > /dev/null; then
    missing+=(npm)
fi

if [[ ${#missing[@]} -gt 0 ]]; then
    if [[ $(id -u) -eq 0 ]] && command -v apt-get > /dev/null; then
        echo "installing ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
    else
        echo "setup: missing on this machine: ${missing[*]}. Install them (Debian: sudo apt-get install ${missing[*]})" \
            "and run this again." >&2
        exit 1
    fi
fi

# Wanted and not needed: without Prometheus and Alertmanager alerts go to FLIGHT_ALERT_URLS alone, without HAProxy there is
# no edge and one instance of each API. Debian's packages would start services of their own, which is declined for the
# moment of their installation: `flight up` runs all under its supervisor.
install_wanted() {
    local policy=/usr/sbin/policy-rc.d declined=0
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" && declined=1
    fi
    echo "installing $*"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
        > /dev/null 2>&1 || echo "setup: $* could not be installed; the platform does without" >&2
    [[ $declined -eq 0 ]] || rm -f "$policy"
}
wanted=()
for program in prometheus prometheus-alertmanager haproxy openssl; do
    # Debian puts haproxy where only root's PATH looks
    PATH="$PATH:/usr/local/sbin:/usr/sbin" command -v "$program" > /dev/null || wanted+=("$program")
done
if [[ ${#wanted[@]} -gt 0 ]]; then
    if [[ $(id -u) -eq 0 ]] && command -v apt-get > /dev/null; then
        install_wanted "${wanted[@]}"
    else
        echo "setup: not here, and the platform does without: ${wanted[*]} (Debian: sudo apt-get install ${wanted[*]})" >&2
    fi
fi

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: $("$python" --version) is too old: install Python 3.11 or later and name it: make setup PYTHON=python3.11" >&2
    exit 1
fi

if ! "$venv/bin/python" -m pip --version > /dev/null 2>&1; then
    "$python" -m venv --clear "$venv"
fi

echo "installing what requirements.lock pins into $venv"
began=$SECONDS
pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
uv_alone=$(mktemp)
trap 'rm -f "$uv_alone"' EXIT
awk '/^uv==/ { found = 1 } found { print } found && !/\\$/ { exit }' requirements.lock > "$uv_alone"

with_uv() {
    "${pip[@]}" --no-deps --require-hashes --requirement "$uv_alone" &&
        "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --require-hashes \
            --requirement requirements.lock
}

if ! with_uv; then
    echo "uv could not; pip does it (about a minute)"
    "${pip[@]}" --no-deps --require-hashes --requirement requirements.lock
fi
"${pip[@]}" --no-deps --no-build-isolation --editable .
fingerprint > "$stamp"
echo "installed in $((SECONDS - began)) s"
