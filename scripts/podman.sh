# Sourced by scripts/runtime-choice.sh. What Podman needs otherwise, also behind a docker command.
# Without this file the engine is taken for Docker.
# shellcheck shell=sh

# podman compose is to print nothing of its own beside what Compose prints.
export PODMAN_COMPOSE_WARNING_LOGS=false

# podman_problem VERSION: why what answered `compose version` with VERSION will not do.
podman_problem() {
    case $1 in
    *podman-compose*) echo "$DOCKER compose runs podman-compose, which is not Compose v2" ;;
    esac
}

podman_rootless() {
    "$DOCKER" info --format '{{.Host.Security.Rootless}}' 2>/dev/null | grep -qx true
}

# Compose sends a list of system calls as text where Podman wants a file's name; Podman's own list
# allows what the functions need. Podman cannot set the owner of a tmpfs; the container has one user,
# for whom a folder that all may write to does as well.
podman_settings() {
    "$DOCKER" version 2>/dev/null | grep -q "Podman Engine" || return 0
    SECURITY_OPT=$(setting SECURITY_OPT no-new-privileges)
    STATE_MODE=$(setting STATE_MODE mode=1777)
    export SECURITY_OPT STATE_MODE
}
