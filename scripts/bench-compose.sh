#!/bin/sh
# Measures RUNTIME=docker: image size, make up, memory, e2e tests, rebuild after a change.
# Uses a project of its own on ports of its own; BENCH_NATIVE=1 runs the e2e tests natively as well.
set -eu
cd "$(dirname "$0")/.."
DOCKER=${DOCKER:-docker}
export COMPOSE_PROJECT_NAME=trigger-bench RUNTIME=docker
export GATEWAY_PORT="${GATEWAY_PORT:-4950}" HTTP_API_PORT="${HTTP_API_PORT:-8950}" SMTP_PORT="${SMTP_PORT:-2595}"
work=$(mktemp -d)
touched=emulator/plugin/trigger_stack/localstack/providers.py
cleanup() {
    if [ -f "$work/kept" ]; then cp -p "$work/kept" "$touched"; fi
    sh scripts/stack.sh stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

row() { printf '%-52s %10s   %s\n' "$1" "$2" "$3"; }
# timed COMMAND…: seconds; its output is kept for when it fails.
timed() {
    began=$(date +%s%N)
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    echo $(($(date +%s%N) - began)) | awk '{printf "%.1f s", $1 / 1e9}'
}
megabytes() { "$DOCKER" image inspect "$1" --format '{{.Size}}' | awk '{printf "%.0f MB", $1 / 1e6}'; }
# held: what the processes and their tmpfs hold. Of files that were read, the kernel counts a part
# until it needs the room: more when nothing had them in memory before.
held() {
    "$DOCKER" exec trigger-bench-localstack-1 sh -c \
        'cat /sys/fs/cgroup/memory.stat /sys/fs/cgroup/memory/memory.stat 2>/dev/null' | awk '
        $1 == "total_rss" || $1 == "total_shmem" { v1 += $2 }
        $1 == "anon" || $1 == "shmem" { v2 += $2 }
        END { printf "%.0f MB", (v1 ? v1 : v2) / 1e6 }'
}

VISION=0 "$DOCKER" compose build --quiet localstack
row "image without the vision models, unpacked" "$(megabytes trigger-bench-localstack)" "at most 450 MB"
"$DOCKER" compose --profile test build --quiet
row "image with them" "$(megabytes trigger-bench-localstack)" ""
row "make up, image there" "$(timed make up)" "at most 10 s"
row "make up again" "$(timed make up)" ""
sleep 5 # the first moments are no idle state
memory=$("$DOCKER" stats --no-stream --format '{{.MemUsage}}' trigger-bench-localstack-1)
row "memory of the whole stack, idle" "$(held)" "at most 600 MB"
row "the same by docker stats, with cached files" "${memory%% /*}" ""
docker_e2e=$(timed make test-e2e)
row "make test-e2e in containers" "$docker_e2e" "at most 1.3 × native"
row "memory after the tests" "$("$DOCKER" stats --no-stream --format '{{.MemUsage}}' trigger-bench-localstack-1 | cut -d/ -f1)" ""
row "make down" "$(timed make down)" "stop within 5 s"
row "docker compose up --wait" "$(timed "$DOCKER" compose up --detach --wait)" ""
"$DOCKER" compose down --volumes --timeout 5 >/dev/null 2>&1
cp -p "$touched" "$work/kept"
printf '\n# changed by the measurement at %s\n' "$(date)" >> "$touched"
row "build after a change in the plugin" "$(timed "$DOCKER" compose build localstack)" "at most 20 s"
cp -p "$work/kept" "$touched"
rm "$work/kept"
row "build after a change in functions/" "none" "they are mounted"
if [ "${BENCH_NATIVE:-0}" = 1 ]; then
    export RUNTIME=native
    make up >/dev/null 2>&1
    row "make test-e2e natively" "$(timed make test-e2e)" ""
fi
