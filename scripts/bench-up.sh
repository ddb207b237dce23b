#!/bin/sh
# Measures, in a clone of its own: bench-up.sh [RUNS]
#   cold    a clone with nothing cached → make up → the first fired trigger has had its effect
#   warm    make down, make up again on the installed clone
# The share of downloading is measured beside it: the same set-up with every download cached.
set -eu
cd "$(dirname "$0")/.."
runs=${1:-3}
gateway=${BENCH_GATEWAY_PORT:-14566} http=${BENCH_HTTP_API_PORT:-18080}
work=$(mktemp -d)
trap 'cd /; [ -d "$work/clone" ] && make -s -C "$work/clone" down >/dev/null 2>&1; rm -rf "$work"' EXIT
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN {printf "%.1f", b - a}'; }

git clone --quiet . "$work/clone"
cd "$work/clone"
unset VIRTUAL_ENV
export GATEWAY_PORT=$gateway HTTP_API_PORT=$http SMTP_PORT=${BENCH_SMTP_PORT:-12525} RUNTIME=native NO_COLOR=1

fire() { # upload a logo and wait for its row
    .venv/bin/python - "$1" <<'PYTHON'
import sys, time
from bootstrap.settings import Settings

settings = Settings.from_environment()
brand = f"bench-{sys.argv[1]}"
with open("samples/coffee-logo.png", "rb") as picture:
    settings.client("s3").put_object(
        Bucket="brand-assets-bucket", Key=f"logos/{brand}/logo.png", Body=picture.read()
    )
table, deadline = settings.client("dynamodb"), time.monotonic() + 60
while not table.query(
    TableName="brand_logos",
    KeyConditionExpression="brandId = :b",
    ExpressionAttributeValues={":b": {"S": brand}},
)["Count"]:
    assert time.monotonic() < deadline, "the upload had no effect within 60 s"
    time.sleep(0.02)
PYTHON
}

start=$(now)
make -s up >"$work/up.log" 2>&1 || { cat "$work/up.log"; exit 1; }
up=$(since "$start")
fire cold
echo "cold: clone → make up ${up} s → first trigger's effect $(since "$start") s (downloads included)"

make -s down >/dev/null
rm -rf .venv .build/stamps .build/layers .build/python-runtime .build/vision .build/dynamodb-local
start=$(now)
make -s up >"$work/up.log" 2>&1 || { cat "$work/up.log"; exit 1; }
fire cached
echo "cold, downloads cached: first trigger's effect after $(since "$start") s"

run=1
while [ "$run" -le "$runs" ]; do
    make -s down >/dev/null
    start=$(now)
    make -s up >/dev/null 2>&1
    up=$(since "$start")
    fire "warm$run"
    echo "again: make up ${up} s → first trigger's effect $(since "$start") s"
    run=$((run + 1))
done
