#!/usr/bin/env bash
# Redis for development on 127.0.0.1:6379: append-only file on, noeviction, data kept.
# A container where Docker answers and can provide the image, else a redis-server process.
set -eu

usage() {
    cat <<'END'
usage: scripts/start-redis.sh start|stop|status

  start    starts Redis on 127.0.0.1 and returns when it answers; harmless if it runs
  stop     stops the Redis that start has started and returns when it is gone; data is kept
  status   says what runs; exit status 0 if Redis runs, 3 if not

REDIS_PORT chooses the port (6379). The container is called punctual-redis and keeps its data
in the volume punctual-redis; the process keeps data, log and pid in .redis/.
END
}

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/docker.sh"
port=${REDIS_PORT:-6379}
image=redis:7-alpine
container=punctual-redis
state=$root/.redis
settings=(--appendonly yes --maxmemory-policy noeviction)

die() {
    echo "$*" >&2
    exit 1
}

# process_command PID: its command line; nothing if it has ended, a zombie's included.
process_command() {
    if [ -d /proc/self ]; then
        tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null || true
    else
        ps -o args= -p "$1" 2>/dev/null || true
    fi
}

# our_process: prints pid and address of the redis-server that start has started. The pid file
# may be stale and its pid someone else's: the process must be a redis-server working in .redis/.
our_process() {
    local pid command
    pid=$(cat "$state/redis.pid" 2>/dev/null) || return 1
    command=$(process_command "$pid")
    case $command in
    *redis-server*127.0.0.1:*) ;;
    *) return 1 ;;
    esac
    if [ -e "/proc/$pid/cwd" ]; then
        [ "$(readlink "/proc/$pid/cwd")" = "$(cd "$state" && pwd -P)" ] || return 1
    fi
    command=${command##*127.0.0.1:}
    echo "$pid 127.0.0.1:${command%%[!0-9]*}"
}

# what_runs: one line on the Redis that start has started.
what_runs() {
    local ours
    if ours=$(our_process); then
        echo "redis-server process ${ours% *} on ${ours#* }"
    elif docker_answers && container_runs "$container"; then
        echo "container $container on $(docker port "$container" 6379/tcp)"
    else
        return 1
    fi
}

taken() {
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}

# holder: the process that listens on port, if that can be told.
holder() {
    if command -v ss >/dev/null 2>&1; then
        ss -Hltnp "sport = :$port" 2>/dev/null |
            sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/ by \1 (pid \2)/p' | head -n 1
    elif command -v lsof >/dev/null 2>&1; then
        lsof -nP -iTCP:"$port" -sTCP:LISTEN 2>/dev/null |
            awk 'NR == 2 {print " by " $1 " (pid " $2 ")"}'
    fi
}

answers_pong() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$port"
        printf 'PING\r\n' >&3
        read -r -t 2 reply <&3
        [ "${reply%?}" = +PONG ]
    ) 2>/dev/null
}

# await CONDITION...: true as soon as it holds, false after 30 s.
await() {
    local tries=300
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

start() {
    local running
    if running=$(what_runs); then
        echo "Redis runs already: $running"
        return
    fi
    if taken; then
        die "port $port is taken$(holder). Stop that, or choose another port:
  REDIS_PORT=6380 scripts/start-redis.sh start    and then    export REDIS_URL=redis://127.0.0.1:6380/0"
    fi
    if docker_provides "$image"; then
        start_container
    elif command -v redis-server >/dev/null 2>&1; then
        start_process
    else
        die "neither Docker (with $image) nor redis-server is here. Install one of them:
  Debian, Ubuntu: apt-get install redis-server    macOS: brew install redis    or Docker
  For a first look none is needed: make run brings an embedded Redis."
    fi
    echo "Redis started: $(what_runs)"
}

start_container() {
    run_container "$container" "$image" --publish "127.0.0.1:$port:6379" --volume "$container:/data" -- \
        redis-server --dir /data --protected-mode no "${settings[@]}" ||
        die "the container did not start, see above"
    await answers_pong || {
        docker stop "$container" >/dev/null 2>&1 || true # the next start must not take it for one that works
        die "Redis does not answer on 127.0.0.1:$port: see docker logs $container"
    }
}

start_process() {
    mkdir -p "$state"
    redis-server --bind 127.0.0.1 --port "$port" --dir "$state" --daemonize yes \
        --pidfile "$state/redis.pid" --logfile "$state/redis.log" "${settings[@]}" >/dev/null
    await answers_pong || die "Redis does not answer on 127.0.0.1:$port: see $state/redis.log"
}

gone() {
    ! our_process >/dev/null
}

stop() {
    local ours
    if ours=$(our_process); then
        kill "${ours% *}"
        await gone || die "redis-server (pid ${ours% *}) does not end: see $state/redis.log"
        rm -f "$state/redis.pid"
    elif docker_answers && container_runs "$container"; then
        stop_container "$container" || die "the container $container could not be stopped, see above"
    else
        echo "Redis does not run"
        return
    fi
    echo "Redis stopped; its data is kept"
}

case ${1:-} in
start | stop)
    "$1"
    ;;
status)
    what_runs || {
        echo "Redis does not run: scripts/start-redis.sh start"
        exit 3
    }
    ;;
*)
    usage >&2
    exit 2
    ;;
esac
