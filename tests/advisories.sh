#!/usr/bin/env bash
# Checks the locked crates against RustSec's advisories, today's if the database can be fetched:
#
#   bash tests/advisories.sh [CARGO_DENY]
#
# Exit 0: checked, nothing found. 1: something was found. 75: not checked, because there are no data or only old ones; the
# last line says so, and when the last check was. "Not checked" is never reported as "nothing found".
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

deny=${1:-cargo-deny}
fetch_s_max=20
# If the database cannot be fetched, earlier data are used for so many days.
days_max=30
data=${CARGO_HOME:-$HOME/.cargo}/advisory-dbs

# The day of the newest commit in the local databases; empty if there is none.
day() {
    local database
    for database in "$data"/*/; do git -C "$database" log -1 --format=%cs 2>/dev/null; done | sort | tail -n 1
}

not_checked() {
    local by_hand
    by_hand=$(sed -nE 's/^# Advisories last checked by hand: ([0-9-]+).*/\1/p' .deny.toml)
    echo "advisories not checked: $1; last checked by hand with the data of ${by_hand:-an unknown day}"
    exit 75
}

offline="" why=""
timeout "$fetch_s_max" "$deny" --config .deny.toml fetch db || offline=--offline why="RustSec's database cannot be reached from here"
of=$(day)
[ -n "$of" ] || not_checked "${why:-the database that was fetched cannot be read}, and there is none from before"
age=$((($(date +%s) - $(date -d "$of" +%s)) / 86400))
if [ -n "$offline" ] && [ "$age" -gt "$days_max" ]; then
    not_checked "$why, and the data from before are of $of, $age days old"
fi
"$deny" --locked $offline --config .deny.toml check --hide-inclusion-graph advisories || exit 1
echo "advisories checked with the data of $of, $age days old${why:+; $why}"
