#!/bin/sh
# Runs the fuzz targets under libFuzzer. Usage: fuzz.sh [SECONDS [TARGET ...]]
# A target grows its corpus in .build/fuzz/corpus/TARGET, beginning with Fuzzing/Corpus/TARGET. RUNS=N ends each after
# so many executions in place of SECONDS. What fails is written to .build/fuzz/findings, and ends this with an error.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
scratch=.build/fuzz
FUZZING=1 "${SWIFT:-swift}" build -c release --sanitize fuzzer --scratch-path "$scratch" --product fuzz
[ $# -gt 0 ] || set -- $(ls Fuzzing/Corpus)
mkdir -p "$scratch/findings"
limit="-max_total_time=$seconds"
[ -z "${RUNS:-}" ] || limit="-runs=$RUNS"
status=0
for target in "$@"; do
    [ -d "Fuzzing/Corpus/$target" ] || { echo "fuzz: $target is none of:" $(ls Fuzzing/Corpus) >&2; exit 64; }
    mkdir -p "$scratch/corpus/$target"
    dictionary=""
    [ ! -f "Fuzzing/$target.dict" ] || dictionary="-dict=Fuzzing/$target.dict"
    echo "== $target"
    SWIFT_BACKTRACE=enable=no FUZZ_TARGET="$target" "$scratch/release/fuzz" "$limit" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 $dictionary \
        -artifact_prefix="$scratch/findings/$target-" "$scratch/corpus/$target" "Fuzzing/Corpus/$target" || status=1
done
exit $status
