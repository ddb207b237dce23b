#!/bin/sh
# Looks up every locked package in the Python Packaging Advisory Database. Needs the network.
# A docs/audit.md with lines such as “- GHSA-… why” names what is ignored, and why.
set -u
cd "$(dirname "$0")/.."
status=0
for lock in scripts/tools.lock emulator/requirements.lock emulator/requirements-vision.lock \
    emulator/python-runtime/requirements.lock functions/requirements.lock requirements.lock; do
    [ -f "$lock" ] || continue
    echo "$lock"
    .venv/bin/pip-audit --disable-pip --require-hashes --no-deps --progress-spinner off -r "$lock" \
        $(sed -n 's/^- \(\(GHSA\|PYSEC\|CVE\)-[A-Za-z0-9-]*\).*/--ignore-vuln \1/p' docs/audit.md 2>/dev/null) ||
        status=1
done
exit $status
