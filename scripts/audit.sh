#!/bin/sh
# Looks up every locked Python package in the advisory database of its index. Needs the network.
# A docs/audit.md with lines such as “- GHSA-… why” names what is ignored, and why.
set -u
cd "$(dirname "$0")/.."
ignored=$(sed -n 's/^- \(\(GHSA\|PYSEC\|CVE\)-[A-Za-z0-9-]*\).*/--ignore-vuln \1/p' docs/audit.md 2>/dev/null)
failed=''
for lock in $(find . -name '*.lock' -not -path './.*' -not -path '*/node_modules/*' | sort); do
    echo "$lock"
    # --strict: a package that the database cannot be asked about is an error, not a line to miss.
    .venv/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
        $ignored -r "$lock" || failed="$failed $lock"
done
if [ -n "$failed" ]; then
    echo "Not audited, or vulnerable:$failed" >&2
    exit 1
fi
echo 'Every locked package was looked up; none has a known vulnerability that is not explained.'
