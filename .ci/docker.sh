#!/usr/bin/env bash
# RUNTIME=docker on a real engine: up, the end-to-end tests in containers, down, nothing left.
# On a Debian machine without an engine, .ci/docker-engine.sh sets one up and ends it afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUNTIME=docker COMPOSE_PROJECT_NAME="${COMPOSE_PROJECT_NAME:-trigger-ci}"

ours=
if ! docker info >/dev/null 2>&1 || ! docker compose version >/dev/null 2>&1; then ours=1; fi
sh .ci/docker-engine.sh start
finish() {
    code=$?
    make down >/dev/null 2>&1 || true
    if [ -n "$ours" ]; then sh .ci/docker-engine.sh stop; fi
    exit $code
}
trap finish EXIT

make up
make status
make test-e2e
# Checks of the containers from outside; the native suite before this has made .venv.
if [ -x .venv/bin/python ]; then .venv/bin/python -m pytest tests/docker; fi
make down

left=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"
    docker volume ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"
    docker network ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")
if [ -n "$left" ]; then
    echo "make down left: $left" >&2
    exit 1
fi
echo "docker: nothing is left after make down"
