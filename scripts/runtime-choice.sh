# Sourced after scripts/settings.sh. Which runtime: the one that RUNTIME names, or that runs
# already, or that fits this machine.
# shellcheck shell=sh
DOCKER=$(setting DOCKER docker)

podman_problem() { :; }
podman_rootless() { false; }
podman_settings() { :; }
if [ -f scripts/podman.sh ]; then . scripts/podman.sh; fi

# Why RUNTIME=docker cannot be; nothing when it can.
docker_problem() {
    command -v "$DOCKER" >/dev/null 2>&1 || { echo "there is no $DOCKER command"; return; }
    "$DOCKER" info >/dev/null 2>&1 || { echo "no Docker engine answers"; return; }
    version=$("$DOCKER" compose version 2>/dev/null) || { echo "$DOCKER has no Compose v2"; return; }
    podman_problem "$version"
}

docker_runs() {
    command -v "$DOCKER" >/dev/null 2>&1 || return 1
    [ -n "$("$DOCKER" compose ps --quiet --status running localstack 2>/dev/null)" ]
}

# Whether this project has a container, running or not.
docker_left() {
    command -v "$DOCKER" >/dev/null 2>&1 || return 1
    [ -n "$("$DOCKER" compose --profile test ps --quiet --all 2>/dev/null)" ]
}

native_runs() {
    [ -f .trigger-stack/emulator.pid ] || return 1
    pid=$(cut -d" " -f1 .trigger-stack/emulator.pid)
    kill -0 "$pid" 2>/dev/null
}

# Sets runtime and reason.
choose() {
    asked=$(setting RUNTIME)
    case $asked in
    '' | docker | native) ;;
    *) fail 2 "RUNTIME=$asked: must be docker or native." ;;
    esac
    running=
    if native_runs; then running=native; elif docker_runs; then running=docker; fi
    if [ -n "$running" ] && [ -n "$asked" ] && [ "$running" != "$asked" ]; then
        fail 2 "RUNTIME=$asked: the stack runs with RUNTIME=$running. End that first: make down"
    elif [ -n "$running" ]; then
        runtime=$running reason="the stack runs in it"
    elif [ "$asked" = native ]; then
        runtime=native reason="RUNTIME=native asks for it"
    else
        problem=$(docker_problem)
        if [ -z "$problem" ]; then
            runtime=docker reason="a Docker engine with Compose v2 answers"
            [ -z "$asked" ] || reason="RUNTIME=docker asks for it"
        elif [ "$asked" = docker ]; then
            fail 2 "RUNTIME=docker: $problem. Start an engine, or run: make up RUNTIME=native"
        else
            # shellcheck disable=SC2034  # for who sources this
            runtime=native reason=$problem
        fi
    fi
}
