#!/bin/sh
# RUNTIME=docker: a command of scripts/stack.sh in containers, with Docker Compose. Called by
# scripts/stack.sh. Needs Docker alone, no Python: see docs/decisions/shell-before-python.md.
set -eu
cd "$(dirname "$0")/.."
. scripts/settings.sh
. scripts/runtime-choice.sh
command=$1
shift

compose() { "$DOCKER" compose "$@"; }

# Files that containers write into mounted folders are to be the user's. Root's are given to an
# ordinary user meanwhile; rootless engines call the user 0.
container_user() {
    if "$DOCKER" info --format '{{.SecurityOptions}}' 2>/dev/null | grep -q rootless ||
        podman_rootless; then
        echo 0:0
    elif [ "$(id -u)" = 0 ]; then
        echo 1000:1000
    else
        echo "$(id -u):$(id -g)"
    fi
}

# in_container SERVICE ARGUMENTS: one command beside the running emulator. In the background, for a
# shell that waits for a command in the foreground does not notice signals; its input stays.
in_container() {
    terminal=
    [ -t 0 ] && [ -t 1 ] || terminal=--no-TTY
    STACK_USER=${STACK_USER:-$(container_user)}
    export STACK_USER
    beside=trigger-stack-$(od -An -N 6 -t x1 /dev/urandom | tr -d ' \n')
    # shellcheck disable=SC2086  # one option or none
    "$DOCKER" compose --profile test run --rm --no-deps --name "$beside" $terminal "$@" <&3 &
    client=$!
    ended=0
    wait "$client" || ended=$?
    # A client that was killed, or whose output nobody reads any more, leaves the container running.
    [ $ended = 0 ] || remove_beside
    beside=
    return $ended
}

# The container's own signal handlers get 5 seconds.
remove_beside() {
    "$DOCKER" stop -t 5 "$beside" >/dev/null 2>&1 || true
    "$DOCKER" rm --force "$beside" >/dev/null 2>&1 || true
}

# interrupted SIGNAL: what this script started ends with it.
interrupted() {
    trap '' HUP INT TERM
    if [ -n "$beside" ]; then
        remove_beside
        # Where the container was just being made, there was none to stop.
        kill "$client" 2>/dev/null || true
        wait "$client" 2>/dev/null || true
        remove_beside
    fi
    $finally
    exit $((128 + $1))
}

# Another project, which APP or SERVERLESS names: its folder is mounted, and its file meant.
project_settings() {
    PROJECT_FILE='' app=$(setting APP) file=$(setting SERVERLESS)
    if [ -n "$file" ]; then
        [ -f "$file" ] || fail 2 "SERVERLESS=$file: there is no such file."
        app=$(dirname "$file") PROJECT_FILE=$(basename "$file")
    elif [ -n "$app" ]; then
        [ -d "$app" ] || fail 2 "APP=$app: there is no such folder."
    else
        return 0
    fi
    PROJECT_FOLDER=$(cd "$app" && pwd)
    COMPOSE_FILE=docker-compose.yml:emulator/container/project.yml
    export PROJECT_FOLDER PROJECT_FILE COMPOSE_FILE
    # What is built for it; the container's user writes there.
    mkdir -p .build/packages
    [ "$(id -u)" != 0 ] || chown 1000:1000 .build/packages
}

needs_stack() {
    docker_runs || fail 1 "Nothing runs. Start the stack with: make up"
}

# build SERVICES: what changed of their images.
build() {
    quiet=--quiet
    [ ! -t 2 ] || quiet=
    # shellcheck disable=SC2086  # one option or none
    compose --profile test build $quiet "$@"
}

start_container() {
    log=$(mktemp)
    if ! compose --progress plain up --detach --no-build --no-deps localstack 2>"$log"; then
        port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\).*\(already\|forbidden\).*/\1/p' "$log" | head -n 1)
        [ -n "$port" ] || cat "$log" >&2
        rm -f "$log"
        compose down --volumes --timeout 5 >/dev/null 2>&1 || true
        [ -n "$port" ] || fail 1 "The container could not be started (see above)."
        other=$((port + 1))
        case $port in
        "$(setting GATEWAY_PORT 4566)") name=GATEWAY_PORT ;;
        "$(setting HTTP_API_PORT 8080)") name=HTTP_API_PORT ;;
        "$(setting SMTP_PORT 2525)") name=SMTP_PORT ;;
        *) # of a range: another one of the same size behind the port
            range=$(setting LOAD_BALANCER_PORTS 8081-8083) name=LOAD_BALANCER_PORTS
            if [ "$port" -lt "${range%-*}" ] || [ "$port" -gt "${range#*-}" ]; then
                range=$(setting CLOUDFRONT_PORTS 8100-8105) name=CLOUDFRONT_PORTS
            fi
            other=$other-$((other + ${range#*-} - ${range%-*}))
            ;;
        esac
        fail 1 "Port $port is in use by another program. End that program, or choose another port:" \
            "$name=$other in .env, or make up $name=$other."
    fi
    rm -f "$log"
}

docker_up() {
    # Where the outputs go; the container's user writes there.
    mkdir -p .trigger-stack
    [ "$(id -u)" != 0 ] || chown 1000:1000 .trigger-stack
    start_container
    in_container bootstrap -m bootstrap up --start "$@"
}

docker_down() {
    "$DOCKER" compose --progress quiet --profile test down --volumes --remove-orphans --timeout 5
}

# Whatever happened: reports belong to whom this folder does, and a stack that the tests started ends.
docker_test_end() {
    [ "$(id -u)" != 0 ] || chown -R "$(ls -dn . | awk '{print $3 ":" $4}')" reports
    [ -z "$ours" ] || docker_down
}

# emulator_log [OPTIONS]: its lines alone. Compose 2.26 puts a terminal's erase code in front of each.
emulator_log() {
    compose logs --no-color --no-log-prefix "$@" localstack 2>/dev/null | sed "s/^$(printf '\033')\[2K//"
}

docker_test() {
    ours=
    docker_runs || ours=1
    build localstack tests
    mkdir -p reports
    finally=docker_test_end
    docker_up --quiet || { code=$?; docker_test_end; return $code; }
    [ "$(id -u)" != 0 ] || chown -R 1000:1000 reports
    code=0
    began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    in_container tests -m pytest "$@" -n "$(setting TEST_WORKERS 8)" --dist loadgroup \
        -p no:cacheprovider --junitxml reports/docker.xml || code=$?
    emulator_log > reports/localstack.log
    raised=$(emulator_log --since "$began" | grep -m 1 -B 1 -A 20 'Traceback (most recent call last)' || true)
    if [ -n "$raised" ]; then
        printf 'The emulator raised an exception while the tests ran:\n%s\n' "$raised"
        [ $code != 0 ] || code=1
    fi
    [ $code = 0 ] || printf "The emulator's log: reports/localstack.log\n"
    docker_test_end
    return $code
}

if [ "$command" = test ] && [ $# = 0 ]; then
    # The triggers in containers. The other tests use the native tools, most with emulators of
    # their own.
    code=0
    if ! docker_runs; then
        trap 'sh scripts/stack.sh stop >/dev/null' EXIT
        trap 'exit 130' HUP INT TERM
        sh scripts/stack.sh up --quiet
    fi
    sh scripts/stack.sh test tests/e2e tests/openapi || code=$?
    RUNTIME=native .venv/bin/python -m pytest tests --ignore tests/e2e --ignore tests/openapi \
        -n "$(setting TEST_WORKERS 6)" --dist loadgroup --durations 5 || code=$?
    exit $code
fi

podman_settings
[ "$command" = test ] || project_settings
beside='' finally=:
exec 3<&0
trap 'interrupted 1' HUP
trap 'interrupted 2' INT
trap 'interrupted 15' TERM

case $command in
up)
    build localstack
    docker_up "$@"
    ;;
start)
    build localstack
    start_container
    in_container bootstrap -m bootstrap start --quiet
    ;;
stop) docker_down ;;
test) docker_test "$@" ;;
debug) fail 2 "make debug needs RUNTIME=native: the container has no debugger. See docs/docker.md" ;;
shell)
    needs_stack
    in_container --entrypoint bash bootstrap
    ;;
check)
    build localstack
    "$DOCKER" run --rm --init --read-only --network none --cap-drop ALL --security-opt no-new-privileges \
        --volume "$PWD/serverless.yml:/app/serverless.yml:ro" --volume "$PWD/functions:/app/functions:ro" \
        --volume "$PWD/bootstrap:/app/bootstrap:ro" \
        ${PROJECT_FOLDER:+--volume "$PROJECT_FOLDER:/project:ro" --env APP=/project} \
        ${PROJECT_FILE:+--env "SERVERLESS=/project/$PROJECT_FILE"} \
        "$(compose config --images localstack | head -n 1)" -m bootstrap check "$@"
    ;;
*)
    needs_stack
    in_container bootstrap -m bootstrap "$command" "$@"
    ;;
esac
