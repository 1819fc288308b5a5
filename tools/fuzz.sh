#!/bin/sh
# Runs the fuzz targets under libFuzzer. Usage: fuzz.sh [SECONDS [TARGET ...]]
# A target grows its corpus in .build/fuzz/corpus/TARGET, beginning with Fuzzing/Corpus/TARGET. RUNS=N ends each after
# so many executions in place of SECONDS. What fails is written to .build/fuzz/findings, and ends this with an error.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
scratch=.build/fuzz
[ $# -gt 0 ] || set -- $(ls Fuzzing/Corpus)
mkdir -p "$scratch/findings"
limit="-max_total_time=$seconds"
[ -z "${RUNS:-}" ] || limit="-runs=$RUNS"
# Bytes of a script are decisions: what they are compared with tells the fuzzer nothing, and costs a third of the time.
build() {
    FUZZING=1 "${SWIFT:-swift}" build -c release --sanitize fuzzer --scratch-path "$1" --product fuzz $2
}
status=0
for target in "$@"; do
    [ -d "Fuzzing/Corpus/$target" ] || { echo "fuzz: $target is none of:" $(ls Fuzzing/Corpus) >&2; exit 64; }
    case $target in
    edge) program=$scratch-scripts; build "$program" "-Xswiftc -sanitize-coverage=edge,inline-8bit-counters,pc-table"; how="-entropic=0 -use_counters=0 -reduce_inputs=0" ;;
    *) program=$scratch; build "$program" ""; how="" ;;
    esac
    mkdir -p "$scratch/corpus/$target"
    dictionary=""
    [ ! -f "Fuzzing/$target.dict" ] || dictionary="-dict=Fuzzing/$target.dict"
    echo "== $target"
    SWIFT_BACKTRACE=enable=no FUZZ_TARGET="$target" "$program/release/fuzz" "$limit" $how -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 $dictionary \
        -artifact_prefix="$scratch/findings/$target-" "$scratch/corpus/$target" "Fuzzing/Corpus/$target" || status=1
done
exit $status
