#!/bin/sh
# Called by make's targets: runs a command in the runtime that RUNTIME names, or that runs already,
# or that fits this machine. With RUNTIME=docker it needs Docker alone.
#
#   stack.sh up|start|stop|status|logs|… [ARGUMENTS]   as python -m bootstrap has them
#   stack.sh test [PATHS]      the tests of PATHS against the stack; without PATHS, all tests
#   stack.sh shell             a shell with awslocal, beside the stack
#   stack.sh runtime           which runtime it would be
set -eu
cd "$(dirname "$0")/.."
. scripts/settings.sh
. scripts/runtime-choice.sh

command=${1:?usage: stack.sh COMMAND [ARGUMENTS]}
shift
if [ "$command" = stop ]; then
    done=
    if [ -x .venv/bin/python ] && native_runs; then .venv/bin/python -m bootstrap stop; done=1; fi
    if docker_left; then sh scripts/docker.sh stop; echo stopped; done=1; fi
    [ -n "$done" ] || echo "nothing runs"
    exit 0
fi

if [ "$command $(setting RUNTIME)" = "check native" ]; then
    runtime=native # it needs no stack, and need not ask an engine for one
else
    choose
fi
case $command in
runtime)
    printf '%s, because %s\n' "$runtime" "$reason"
    exit 0
    ;;
up | start) case " $* " in *" --quiet "*) ;; *) printf 'runtime: %s, because %s\n' "$runtime" "$reason" ;; esac ;;
esac

export RUNTIME="$runtime"
[ "$runtime" = native ] || exec sh scripts/docker.sh "$command" "$@"

sh scripts/setup.sh
if [ "$command" = up ]; then set -- --start "$@"; fi
# Signals are to reach it.
exec .venv/bin/python -m bootstrap "$command" "$@"
