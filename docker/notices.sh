#!/usr/bin/env bash
# Prints the notices that belong to a binary of Sentinel: the licence texts of everything that is linked into it.
#
#   bash docker/notices.sh >THIRD-PARTY-NOTICES
#
# cargo lists what is linked, for the platform it runs on; the texts are those of the compiled packages. docker/Dockerfile
# puts the result into the image. The script fails if a required text cannot be found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src

# folder NAME-VERSION: the folder that cargo unpacked it to.
folder() {
    local found
    for found in "$sources"/*/"$1"; do
        [ -d "$found" ] && { echo "$found"; return; }
    done
    echo "notices: $1 is not in $sources: build first" >&2
    return 1
}

# texts FOLDER: its licence files.
texts() {
    find "$1" -maxdepth 2 -type f -regextype posix-extended \
        -iregex '.*/(licen[cs]e|copying|copyright|notice|unlicense)([-._][^/]*)?' ! -iregex '.*\.(rs|c|h|py|json|toml)' | sort
}

# take TITLE FILE: records that this text belongs to this package. Each distinct text is printed once.
take() {
    local sum
    sum=$(sha256sum <"$2" | cut -c1-64)
    cp "$2" "$scratch/$sum.text"
    echo "$1" >>"$scratch/$sum.of"
}

packages=$(cargo tree --locked --package sentinel --edges normal --prefix none --format '{p}|{l}|{r}' \
    | sed -E 's/ \((proc-macro|\*)\)//g' | sort -u | grep -Ev '^(sentinel|sentinel-actors) |^$')
native=$(cargo tree --locked --package sentinel --edges normal,build --prefix none --format '{p}' \
    | sed -nE 's/^zeromq-src v([^ ]+).*/zeromq-src-\1/p' | sort -u)

[ -n "$native" ] || { echo "notices: cargo names no libzmq (zeromq-src)" >&2; exit 1; }

cat <<END
Sentinel is linked with the packages below, listed with version, licence and source. The licence texts follow, each once,
under the names of the packages that contain it.

Native libraries

libzmq (ZeroMQ core)  LGPL-3.0-or-later with the static linking exception of its authors, which is printed below
    https://github.com/zeromq/libzmq
    A plain build links version ${native##*+}, from zeromq-src, statically. A build with docker/curve.toml, as in the image,
    links Debian's libzmq5 dynamically: its source is in Debian's archive, and it can be replaced by another build of it.
SQLite  public domain, compiled in by libsqlite3-sys
    https://sqlite.org/copyright.html
libstdc++, as far as libzmq uses it  GPL-3.0-or-later with the GCC Runtime Library Exception, by which a binary may have any licence
    https://gcc.gnu.org/onlinedocs/libstdc++/
    Linked statically where the machine that builds has a static one.
The standard library of Rust  MIT OR Apache-2.0
    https://github.com/rust-lang/rust
uPlot, in the console's page  MIT
    https://github.com/leeoniya/uPlot

Rust packages

END
while IFS='|' read -r package licence repository; do
    name=${package%% *} version=${package#* v} version=${version%% *}
    [ -n "$licence" ] || { echo "notices: $name $version names no licence" >&2; exit 1; }
    printf '%s %s  %s\n    %s\n' "$name" "$version" "$licence" "$repository"
    where=$(folder "$name-$version")
    files=$(texts "$where")
    if [ -z "$files" ]; then
        # Some packages do not contain the text. Their licences are common ones that are printed below anyway.
        case "$licence" in
            MIT | MIT/Apache-2.0 | "MIT OR Apache-2.0" | "Apache-2.0 OR MIT") echo "    (its package contains no licence text)" ;;
            *) echo "notices: $name $version has no licence text, and $licence is not printed elsewhere" >&2; exit 1 ;;
        esac
    fi
    while read -r file; do
        [ -z "$file" ] || take "$name $version" "$file"
    done <<<"$files"
done <<<"$packages"

libzmq=$(folder "$native")/vendor
take "libzmq" "$libzmq/COPYING.LESSER"
take "libzmq, which the text above amends" "$libzmq/COPYING"
take "the recorded EUR/USD bars of the demo" src/sandbox/data/NOTICE
take "uPlot" src/console/web/vendor/uPlot.LICENSE

# The longest list of names comes first, so the common texts come first; libzmq's two texts keep their order.
for list in $(wc -l "$scratch"/*.of | sort -rn | sed -nE 's/^ *[0-9]+ (.*\.of)$/\1/p'); do
    printf '\n%s\nOf %s\n\n' "--------------------------------------------------------------------------------" \
        "$(sort -u "$list" | paste -sd, - | sed 's/,/, /g' | fold -s -w 100)"
    cat "${list%.of}.text"
    echo
done
