#!/usr/bin/env bash
# Builds the library for other machines, runs the cases of tests/hosts and the examples with it, and prints what came of
# each:
#
#     tests/targets/run.sh [TARGET...]      those named, or all: x86_64 debian i686 musl windows-gnu aarch64 check
#
# With MAILRU_TARGETS_PROFILE=release it is what is released, and the archives lie in target/dist afterwards
# (`make -C examples-c dist`); else it is built with few optimizations, and the archives are thrown away.
#
# A target whose tools are not there and cannot be installed is skipped by name. It is a failure if
# MAILRU_REQUIRE_TARGETS names it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$here" && cargo metadata --format-version 1 --no-deps \
    | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/targets
[ $# -gt 0 ] || set -- x86_64 debian i686 musl windows-gnu aarch64 check

failed=0
tables=()
notes=()
for target; do
    mkdir -p "$folder/$target"
    begun=$SECONDS
    code=0
    "$here/$target.sh" || code=$?
    took=$((SECONDS - begun))
    tables+=("$folder/$target/results.tsv")
    case $code in
    0) notes+=("$target: $took s") ;;
    77)
        notes+=("$target: skipped, $(cat "$folder/$target/skipped")")
        case " ${MAILRU_REQUIRE_TARGETS:-} " in *" $target "*) failed=1 ;; esac
        ;;
    *)
        notes+=("$target: its script ended with $code")
        failed=1
        ;;
    esac
done

cat "${tables[@]}" | awk -F '\t' '
    !($1 in row) { row[$1]; rows[++height] = $1 }
    !($2 in column) { column[$2]; columns[++width] = $2 }
    { cell[$1, $2] = $3 }
    END {
        printf "%-24s", ""
        for (at = 1; at <= width; at++) printf "  %-" (length(columns[at]) + 0) "s", columns[at]
        for (line = 1; line <= height; line++) {
            printf "\n%-24s", rows[line]
            for (at = 1; at <= width; at++) {
                shown = (rows[line], columns[at]) in cell ? cell[rows[line], columns[at]] : "-"
                printf "  %-" length(columns[at]) "s", shown
            }
        }
        print ""
    }' | sed 's/ *$//' | tee "$folder/table.txt"
# The same in numbers, as the README has it.
cat "${tables[@]}" | awk -F '\t' '
    function share(kind) { return all[at, kind] ? good[at, kind] + 0 "/" all[at, kind] : "" }
    !($2 in known) { known[$2]; columns[++width] = $2 }
    {
        kind = $1
        sub(/[ ,].*/, "", kind)
        if (kind !~ /^(case|example|archive)$/) kind = "other"
        all[$2, kind] += $3 != "n/a"
        good[$2, kind] += $3 == "ok"
    }
    END {
        print "\n| target | cases | examples | TLS, threads, unloading | from the archive |\n| --- | --- | --- | --- | --- |"
        for (i = 1; i <= width; i++) {
            at = columns[i]
            print "| " at " | " share("case") " | " share("example") " | " share("other") " | " share("archive") " |"
        }
    }' | tee -a "$folder/table.txt"
printf '%s\n' "${notes[@]}" | tee -a "$folder/table.txt"
if grep -q "	FAIL$" "${tables[@]}"; then
    failed=1
fi
exit $failed
