#!/bin/sh
# Installs osls into .build/osls, once per package-lock.json: install.sh
# The lock names versions and hashes but no registry: npm asks the one it is configured for.
set -eu
cd "$(dirname "$0")/../.."
target=.build/osls
wanted=$(cat tests/osls/package.json tests/osls/package-lock.json | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1)
if [ -f "$target/.installed" ] && [ "$(cat "$target/.installed")" = "$wanted" ]; then
    exit 0
fi
command -v npm >/dev/null 2>&1 || { echo "npm is missing. Install it, for example: apt-get install npm" >&2; exit 1; }
echo "set-up: osls"
rm -rf "$target"
mkdir -p "$target"
cp tests/osls/package.json tests/osls/package-lock.json "$target/"
# No install scripts: osls only packages here, and nothing in it has to be built for that.
npm ci --loglevel=error --prefix "$target" --cache "${npm_config_cache:-$PWD/.build/cache/npm}" \
    --ignore-scripts --no-audit --no-fund --no-update-notifier
printf '%s' "$wanted" > "$target/.installed"
