#!/usr/bin/env bash
# All tests. Arguments are passed on to go test, and then only what they say is run; a package among them replaces ./... .
# Without any, the benchmark harness is tested as well (integration/bench, a module of its own), as are the faults in their
# quick form (integration/faults), the mutants are compared with the code, and all is fuzzed for 30 s.
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

PUNCTUAL_TEST_SKIPPED=$(mktemp)
export PUNCTUAL_TEST_SKIPPED
computed=$(mktemp)
computing=
# shellcheck disable=SC2317 # by the trap
end() {
    # With all that it has started: a script that is interrupted leaves nothing at work.
    [ -z "$computing" ] || kill -- "-$computing" 2>/dev/null || true
    rm -f "$PUNCTUAL_TEST_SKIPPED" "$computed"
}
trap end EXIT
trap 'exit 130' INT TERM

# Most tests either wait, for one another and for time to pass, or compute: the two kinds run side by side.
waiting='./integration ./integration/redistest ./cmd/internal/app'
# Waits for nothing: it does what the documents say, and the first command there compiles everything anew.
documented='^TestDocumentedCommands$'

# -count=1: a result from the cache would say nothing about this Redis.
# shellcheck disable=SC2086 # race may be empty, waiting is a list
wait_most() {
    local failed=0
    # Tests that call t.Parallel and rows of the fault matrix wait nearly all the time: more of them than there are cores run at once.
    go test $race -p 2 -parallel 8 -count=1 -timeout 10m -skip "$documented" $waiting || failed=1
    (cd integration/faults && go vet ./... && go test -count=1 -timeout 10m -parallel 6 .) || failed=1
    (cd integration/faults && go test -count=1 -timeout 5m ./history) || failed=1
    # Without -race, which would only slow down what the harness measures. It runs every case once, with few jobs.
    (cd integration/bench && go vet ./... && go test -count=1 -timeout 5m ./...) || failed=1
    # Whether each mutant still fits the code; make mutants tries them.
    go test -tags mutants -count=1 ./integration/mutants || failed=1
    FUZZTOTAL=30 scripts/fuzz.sh || failed=1 # here, for this lane is done first
    return $failed
}

# Some of the waiting tests measure how late a job starts, so these are a little nicer: they get a quarter of a core that both
# want. Not less, for some have a deadline as well.
# shellcheck disable=SC2086,SC2046 # race may be empty, the rest is a list
compute_most() {
    local failed=0
    nice -n 5 go test $race -count=1 -timeout 10m -run "$documented" ./integration || failed=1
    nice -n 5 go test $race -p 2 -count=1 -timeout 10m $(go list ./... | grep -Ev '/(integration|redistest|app|api|ui)$') || failed=1
    # They read hundreds of requests and pages: with the race detector that takes minutes (make test ARGS='./api ./api/ui' has it).
    nice -n 5 go test -count=1 -timeout 10m ./api ./api/ui || failed=1
    return $failed
}

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

if [ $# = 0 ]; then
    set -m # a process group of its own, see end
    compute_most >"$computed" 2>&1 &
    computing=$!
    set +m
    wait_most || failed=1
    wait "$computing" || failed=1
    computing=
    cat "$computed"
else
    packages=./...
    for arg; do
        case $arg in
        . | ./*) packages= ;;
        esac
    done
    # -p 1: one package at a time, whichever they are.
    # shellcheck disable=SC2086 # either may be empty
    go test $race -p 1 -parallel 8 -count=1 -timeout 10m $packages "$@" || failed=1
fi

if [ -s "$PUNCTUAL_TEST_SKIPPED" ]; then
    echo "skipped for lack of a real Redis: $(sort -u "$PUNCTUAL_TEST_SKIPPED" | paste -sd' ' -)"
fi
exit $failed
