#!/usr/bin/env bash
# Redis Insight, a browser for the keys of the development Redis, at http://localhost:8001.
set -eu

usage() {
    cat <<'END'
usage: scripts/start-redis-insight.sh start|stop

Needs Docker. The connection to the Redis of scripts/start-redis.sh is preset; start that first.
REDIS_PORT names its port if it is not 6379 and it runs as a process.
END
}

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/docker.sh"
image=redis/redisinsight:latest
container=punctual-redis-insight
redis=punctual-redis
page=http://localhost:8001

die() {
    echo "$*" >&2
    exit 1
}

start() {
    if docker_answers && container_runs "$container"; then
        echo "Redis Insight runs already: $page"
        return
    fi
    docker_provides "$image" || die "Redis Insight needs Docker with $image: no engine answers here, or it cannot pull that image.
Without it: redis-cli KEYS 'punctual:*' shows the same keys."

    # The image listens on 5540 and reads its first connection from RI_REDIS_*.
    local options=(--publish 127.0.0.1:8001:5540 --volume "$container:/data" --env RI_REDIS_ALIAS=punctual)
    if container_runs "$redis"; then
        options+=(--env "RI_REDIS_HOST=$redis" --env RI_REDIS_PORT=6379)
    else
        options+=(--env RI_REDIS_HOST=host.docker.internal --env "RI_REDIS_PORT=${REDIS_PORT:-6379}"
            --add-host host.docker.internal:host-gateway)
        echo "The container $redis does not run, so the connection leads to this machine. On Linux a container
cannot reach a redis-server that listens on 127.0.0.1 only; the container of scripts/start-redis.sh it can."
    fi
    run_container "$container" "$image" "${options[@]}" -- ||
        die "Redis Insight did not start, see above. If port 8001 is taken, stop what holds it."
    echo "Redis Insight started: $page (it takes some seconds)"
}

stop() {
    if docker_answers && container_runs "$container"; then
        stop_container "$container" || die "the container $container could not be stopped, see above"
        echo "Redis Insight stopped"
    else
        echo "Redis Insight does not run"
    fi
}

case ${1:-} in
start | stop)
    "$1"
    ;;
*)
    usage >&2
    exit 2
    ;;
esac
