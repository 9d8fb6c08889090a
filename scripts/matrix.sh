#!/usr/bin/env bash
# The tests of queue and the topologies against every Redis and Valkey that can be had, and a table of what came out.
#
# REDIS_SERVERS="path path" names redis-server or valkey-server programs; without it: the one on the PATH, and those of
# Debian 13, unpacked into MATRIX_CACHE (default ~/.cache/punctual/matrix; nothing is installed) where apt may be used: as
# root, or with MATRIX_FETCH=1. MATRIX_FETCH=0 fetches nothing. The images of other versions are used where a
# Docker engine has or gets them.
set -u
cd "$(dirname "$0")/.."
. scripts/docker.sh
cache=${MATRIX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/punctual/matrix}
images=${MATRIX_IMAGES-"redis:6.2 redis:7.2 redis:7.4 redis:8 valkey/valkey:7.2 valkey/valkey:8"}
failed=0
quick="TestLeastPrivilege|TestExhausted|TestShutdown"
rows=()

# fetch unpacks redis-server and valkey-server of Debian 13, by an apt source and lists of its own.
fetch() {
    command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || return 1
    mkdir -p "$cache/lists/partial" "$cache/archives/partial" "$cache/root" || return 1
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keyring] http://deb.debian.org/debian trixie main" >"$cache/sources.list"
    local own=(-o Dir::Etc::SourceList="$cache/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State::Lists="$cache/lists" -o Dir::Cache::Archives="$cache/archives"
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root)
    apt-get "${own[@]}" -qq update || return 1
    (cd "$cache/archives" && apt-get "${own[@]}" -qq download redis-server redis-tools valkey-server valkey-tools \
        libc6 libgcc-s1 libstdc++6 liblzf1 libjemalloc2 liblua5.1-0 lua-cjson lua-bitop libatomic1 libsystemd0 libssl3t64 libhiredis1.1.0 libcap2) || return 1
    local deb
    for deb in "$cache"/archives/*.deb; do dpkg -x "$deb" "$cache/root" || return 1; done
    # Each with the libraries of its own Debian, libc among them.
    local loader libraries
    loader=$(find "$cache/root" -name 'ld-linux*.so.*' | head -n 1)
    libraries=$cache/root/usr/lib/$(uname -m)-linux-gnu
    for name in redis valkey; do
        printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$loader" "$libraries" "$cache/root/usr/bin/$name-server" >"$cache/$name-server"
        chmod +x "$cache/$name-server"
    done
}

# run tests one server: its name in the table, the tests of integration, the environment.
run() {
    local name=$1 tests=$2 log result start=$SECONDS
    shift 2
    log=$(mktemp)
    if env "$@" go test -count=1 ./queue >"$log" 2>&1 &&
        env "$@" go test -count=1 -run "$tests" ./integration >>"$log" 2>&1; then
        result="passed in $((SECONDS - start)) s"
    else
        result="FAILED: $(grep -E '^ *--- FAIL' "$log" | awk '{print $3}' | sort -u | tr '\n' ' ')"
        grep -v 'connection pool: failed' "$log" | tail -n 40 >&2
        failed=1
    fi
    rm -f "$log"
    rows+=("$name|$result")
    echo "$name: $result" >&2
}

servers=${REDIS_SERVERS:-}
if [ -z "$servers" ]; then
    for name in redis-server valkey-server; do
        command -v $name >/dev/null 2>&1 && servers="$servers $(command -v $name)"
    done
    if [ "${MATRIX_FETCH:-$([ "$(id -u)" = 0 ] && echo 1 || echo 0)}" = 1 ] && fetch; then
        servers="$servers $cache/redis-server $cache/valkey-server"
    else
        rows+=("those of Debian 13|not had: apt was not used, or could not get them")
    fi
fi
for server in $servers; do
    version=$("$server" --version 2>/dev/null | sed -E 's/^([A-Za-z]+) server v=([0-9.]+).*/\1 \2/')
    if [ -z "$version" ]; then
        rows+=("$server|not had: it does not run here")
        continue
    fi
    run "$version" "TestSentinel|TestCluster|$quick" PUNCTUAL_TEST_REDIS=process PUNCTUAL_TEST_REDIS_SERVER="$server"
done
if [ -z "${REDIS_SERVERS:-}" ]; then
    for image in $images; do
        if docker_provides "$image" >/dev/null 2>&1; then
            run "$image" "$quick" PUNCTUAL_TEST_REDIS=docker PUNCTUAL_TEST_REDIS_IMAGE="$image" DOCKER_HOST="$(docker_host)"
        else
            rows+=("$image|not had: no Docker engine provides it")
        fi
    done
fi
echo
printf '| Redis | result |\n|---|---|\n'
for row in "${rows[@]}"; do printf '| %s | %s |\n' "${row%%|*}" "${row#*|}"; done
exit $failed
