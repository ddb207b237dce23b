#!/bin/sh
# Installs what AWS's managed Python runtime brings for one interpreter.
#
#   install.sh <uv> <interpreter> <target root>
#
# Makes <target root>/python3.X/ with the packages of requirements.lock, `.preload/` with the
# packages that the process executor imports before it forks, and `.interpreter` with the
# interpreter's path. Does nothing when the locks and the interpreter are those of the last time.
set -eu

uv=$1
interpreter=$2
root=$3
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

facts=$("$interpreter" -c 'import hashlib, pathlib, sys
digest = hashlib.sha256(sys.version.encode())
for name in sys.argv[1:]:
    digest.update(pathlib.Path(name).read_bytes())
print(f"python{sys.version_info[0]}.{sys.version_info[1]}", digest.hexdigest(), sys.executable)
' "$here/requirements.lock" "$here/preload.lock" "$here/debug.lock" "$here/install.sh")
name=${facts%% *}
rest=${facts#* }
digest=${rest%% *}
executable=${rest#* }
target=$root/$name

if [ "$(cat "$target/.digest" 2>/dev/null)" = "$digest" ] &&
    [ "$(cat "$target/.interpreter" 2>/dev/null)" = "$executable" ]; then
    exit 0
fi

mkdir -p "$root"
building=$(mktemp -d "$root/.building-XXXXXX")
trap 'rm -rf "$building"' EXIT
chmod 755 "$building"

install() {
    "$uv" pip install --quiet --no-deps --require-hashes --compile-bytecode \
        --link-mode copy --python "$interpreter" --target "$2" --requirement "$here/$1"
}
install requirements.lock "$building"
install preload.lock "$building/.preload"
install debug.lock "$building/.debug"
printf '%s\n' "$executable" >"$building/.interpreter"
printf '%s\n' "$digest" >"$building/.digest"

rm -rf "$target"
mv "$building" "$target"
trap - EXIT
