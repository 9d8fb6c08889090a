# To be sourced. What this repository's scripts call "Docker answers": the docker command is
# there, its engine is on this machine (ports published on 127.0.0.1 can be reached) and answers.

# bounded SECONDS COMMAND...: ends a command that hangs, where there is a timeout command.
bounded() {
    if command -v timeout >/dev/null 2>&1; then
        timeout "$@"
    else
        shift
        "$@"
    fi
}

# docker_host: where the engine of the docker command listens.
docker_host() {
    bounded 10 docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null
}

docker_answers() {
    command -v docker >/dev/null 2>&1 || return 1
    case $(docker_host) in
    unix://*) ;;
    *) return 1 ;;
    esac
    bounded 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# docker_provides IMAGE: Docker answers and has the image, or can pull it within a minute.
# An engine that cannot counts as no Docker.
docker_provides() {
    docker_answers || return 1
    docker image inspect "$1" >/dev/null 2>&1 && return 0
    echo "pulling $1 (a minute at most)" >&2
    bounded 60 docker pull --quiet "$1" >/dev/null 2>&1
}

# container_runs NAME
container_runs() {
    [ "$(docker inspect --format '{{.State.Running}}' "$1" 2>/dev/null)" = true ]
}

# run_container NAME IMAGE DOCKER-RUN-ARGUMENTS... -- COMMAND...: starts a detached container
# on the network "punctual" in place of a stopped one of the same name. One that could not
# start is removed, so that the next start begins anew.
run_container() {
    name=$1 image=$2 options=()
    shift 2
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    docker network inspect punctual >/dev/null 2>&1 || docker network create punctual >/dev/null
    docker rm "$name" >/dev/null 2>&1 || true
    docker run --detach --name "$name" --network punctual "${options[@]}" "$image" "$@" >/dev/null || {
        docker rm "$name" >/dev/null 2>&1 || true
        return 1
    }
}

# stop_container NAME: returns when it is gone. Volumes are kept.
stop_container() {
    docker stop "$1" >/dev/null && docker rm "$1" >/dev/null
}
