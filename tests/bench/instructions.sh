#!/bin/sh
# Instructions of one mailru_call on one thread, counted by callgrind: the same from run to run,
# however busy the machine is. The cost of N calls is taken from that of 2N, so that what happens
# once (loading, connecting) does not count.
#
#   sh instructions.sh [small|large] [N] [LINES]
set -eu
export PYTHONDONTWRITEBYTECODE=1

cd "$(dirname "$0")"
place=${1:-small}
calls=${2:-200}
lines=${3:-40}
root=$(cd ../.. && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
build=$target/instructions
folder=$build/callgrind

command -v valgrind >/dev/null || { echo "missing; install with: apt-get install valgrind" >&2; exit 1; }

# The shipped library, but with the names of its functions.
(cd "$root" && CARGO_TARGET_DIR=$build cargo build --quiet --release --lib \
    --config profile.release.strip=false --config 'profile.release.debug="line-tables-only"')
mkdir -p "$folder"
${CC:-cc} -std=c11 -O2 -D_DEFAULT_SOURCE -pthread -I"$root/include" -o "$folder/mailru" peers/mailru.c peers/slice.c \
    -L"$build/release" -Wl,-rpath,"$build/release" -lmailru

# mailru_call alone is counted, with all that it calls; the host's own work is not.
count() {
    BENCH_PLACE=$place python3 server.py \
        valgrind --quiet --tool=callgrind --toggle-collect=mailru_call --callgrind-out-file="$folder/$1.out" \
        "$folder/mailru" 1 calls "$1" >/dev/null
}
count "$calls"
count $((2 * calls))
python3 instructions.py "$folder" "$calls" "$lines"
