#!/usr/bin/env bash
# Fuzzes all readers of outside text: every target for so many seconds, two at a time.
#
#   bash tests/fuzz/run.sh SECONDS [RESULT.xml]
#
# Builds with cargo-fuzz on the stable toolchain. A panic, a broken invariant (entrances/), or an input that takes over a
# second or a GiB of memory fails the target, and the input is kept. New inputs stay in target/fuzz/corpus, with which the
# next run begins; corpus/ here has the seeds.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo_fuzz_version=0.13.2
seconds=${1:?usage: bash tests/fuzz/run.sh SECONDS [RESULT.xml]}
base=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$base/fuzz CARGO_TERM_COLOR=never
result=${2:-$CARGO_TARGET_DIR/fuzz.xml}
export PATH="$base/tools/bin:$PATH"
# The longest inputs in bytes: long enough for a window of bars with features.
declare -A length_max=([bars]=16384 [model_answer]=4096 [gateway_reply]=4096 [settings]=4096)

if [ "$(cargo fuzz --version 2>/dev/null)" != "cargo-fuzz $cargo_fuzz_version" ]; then
    cargo install cargo-fuzz --debug --version "$cargo_fuzz_version" --locked --root "$base/tools" || exit
fi
cargo fuzz build -s none --codegen-units 16 --fuzz-dir tests/fuzz || exit
host=$(rustc -vV | sed -n 's/^host: //p')

fuzz() {
    local target=$1 work=$CARGO_TARGET_DIR/run/$1
    rm -rf "$work" && mkdir -p "$work/scratch" "$CARGO_TARGET_DIR/corpus/$target" "$CARGO_TARGET_DIR/artifacts/$target" || return
    # Files of the inputs go to the scratch folder. The additional limit ends a run that hangs outside an input.
    TMPDIR=$work/scratch timeout $((seconds + 120)) "$CARGO_TARGET_DIR/$host/release/$target" \
        -max_total_time="$seconds" -timeout=1 -rss_limit_mb=1024 -max_len="${length_max[$target]}" \
        -dict="tests/fuzz/dictionaries/$target.dict" -print_final_stats=1 \
        -artifact_prefix="$CARGO_TARGET_DIR/artifacts/$target/" \
        "$CARGO_TARGET_DIR/corpus/$target" "tests/fuzz/corpus/$target" >"$work/log" 2>&1
    echo $? >"$work/status"
    rm -rf "$work/scratch"
}

rm -rf "$CARGO_TARGET_DIR/run"
(fuzz bars; fuzz model_answer) & (fuzz gateway_reply; fuzz settings) &
wait
python3 tests/fuzz/report.py "$CARGO_TARGET_DIR/run" "$CARGO_TARGET_DIR/$host/release" "$result" bars model_answer gateway_reply settings
