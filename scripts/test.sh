#!/usr/bin/env bash
# All tests. Arguments are passed on to go test; a package among them replaces ./... . Without any, the benchmark harness is
# tested as well (integration/bench, a module of its own), as are the faults in their quick form (integration/faults), the mutants are compared with the code, and all is fuzzed for 30 s.
#
# The Redis of the tests is chosen once, here: containers where a Docker engine answers and can
# provide the image, else redis-server processes (installed by apt where that may be done), else
# the embedded one, with the tests that needed a real Redis listed at the end. CI=true makes
# each of those a failure. PUNCTUAL_TEST_REDIS=docker|process|embedded chooses by hand.
set -eu
cd "$(dirname "$0")/.."
. scripts/docker.sh
. scripts/apt.sh

install_redis() {
    command -v redis-server >/dev/null 2>&1 && return
    apt_may || return 0
    echo "installing redis-server by apt"
    apt_install redis-server || echo "redis-server could not be installed by apt; going on without"
}

choose_redis() {
    case ${PUNCTUAL_TEST_REDIS:-auto} in
    auto) ;;
    *) return ;;
    esac
    if docker_provides redis:7-alpine; then
        PUNCTUAL_TEST_REDIS=docker
        DOCKER_HOST=$(docker_host)
        export DOCKER_HOST # the tests use the engine that was asked here
    elif command -v redis-server >/dev/null 2>&1; then
        PUNCTUAL_TEST_REDIS=process
    else
        PUNCTUAL_TEST_REDIS=embedded
    fi
}

[ "${PUNCTUAL_TEST_REDIS:-auto}" = embedded ] || install_redis
choose_redis
export PUNCTUAL_TEST_REDIS
echo "Redis for the tests: $PUNCTUAL_TEST_REDIS"

race=-race
if [ "$(go env CGO_ENABLED)" != 1 ] || ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null 2>&1; then
    race=
    echo "no C compiler: the race detector is left out"
fi

packages=./...
for arg; do
    case $arg in
    . | ./*) packages= ;;
    esac
done

PUNCTUAL_TEST_SKIPPED=$(mktemp)
export PUNCTUAL_TEST_SKIPPED
trap 'rm -f "$PUNCTUAL_TEST_SKIPPED"' EXIT

failed=0
unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
    echo "not formatted (run make fmt): $(echo "$unformatted" | paste -sd' ' -)"
    failed=1
fi
# Some tests start the programs with go run: compiled beforehand, they are up in time.
go build ./... || failed=1
# shellcheck disable=SC2086 # may be empty; with it, what vet compiles serves the tests too
go vet $race ./... || failed=1
# -p 1: one test binary at a time, since some tests measure how late a job starts.
# -count=1: a result from the cache would say nothing about this Redis.
# shellcheck disable=SC2086 # either may be empty
go test $race -p 1 -count=1 -timeout 10m $packages "$@" || failed=1

# Without -race, which would only slow down what the harness measures. It runs every case once, with few jobs.
if [ $# = 0 ]; then
    # What fuzzes and what counts go side by side, for neither measures time; the fault matrix has the machine to itself.
    fuzzed=$(mktemp)
    FUZZTOTAL=30 scripts/fuzz.sh >"$fuzzed" 2>&1 &
    fuzzing=$!
    (cd integration/bench && go vet ./... && go test -count=1 -timeout 5m ./...) || failed=1
    # Whether each mutant still fits the code; make mutants tries them.
    go test -tags mutants -count=1 ./integration/mutants || failed=1
    wait "$fuzzing" || failed=1
    cat "$fuzzed"
    rm -f "$fuzzed"
    # Rows of the fault matrix mostly wait, so more of them than there are cores run at a time.
    (cd integration/faults && go vet ./... && go test -count=1 -timeout 10m -parallel 6 ./...) || failed=1
fi

if [ -s "$PUNCTUAL_TEST_SKIPPED" ]; then
    echo "skipped for lack of a real Redis: $(sort -u "$PUNCTUAL_TEST_SKIPPED" | paste -sd' ' -)"
fi
exit $failed
