#!/bin/sh
# A Docker engine with Compose v2 and buildx on a bare Debian machine, for the tests of
# RUNTIME=docker. Needs root, and installs Debian's packages only.
#
#   docker-engine.sh start   does nothing where an engine with Compose v2 answers already
#   docker-engine.sh stop    ends the engine that start began, and unmounts what it mounted
#   docker-engine.sh clean   stop, and remove its images and layers
#
# ENGINE_DIR (default /var/tmp/trigger-stack-engine) keeps its data: about 3 GB after a build.
# DOCKER_HOST=unix:///… is where the engine listens; without it, where every client looks.
# Where no image registry answers, debian:trixie-slim is made from the packages that the published
# image is made of, with this machine's own certificate authorities when it has some.
set -eu

ENGINE_DIR=${ENGINE_DIR:-/var/tmp/trigger-stack-engine}
PLUGINS=/usr/local/lib/docker/cli-plugins
BASE_IMAGE=debian:trixie-slim
SUITE=trixie
ROOTFS=$ENGINE_DIR/rootfs
PULL_SECONDS=${PULL_SECONDS:-60}
START_SECONDS=60

say() { printf 'engine: %s\n' "$*"; }
fail() { printf 'error %s\n' "$*" >&2; exit 1; }
answers() { docker info >/dev/null 2>&1; }
compose_answers() { docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; }

install_packages() {
    [ "$(id -u)" = 0 ] || fail "This script needs root to install and start an engine."
    command -v apt-get >/dev/null 2>&1 || fail "This script knows Debian only. Install Docker Engine yourself."
    missing=
    for pair in dockerd:docker.io docker:docker.io debootstrap:debootstrap iptables:iptables; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
    done
    [ -n "$missing" ] || return 0
    say "installing$missing"
    apt-get update -qq
    # Nothing is to start by itself: this script starts the engine, with its data where it says.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' > $policy
        chmod 755 $policy
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    # shellcheck disable=SC2086  # a list of package names
    apt_install $missing
    # Since Debian 13 the client is a package of its own.
    command -v docker >/dev/null 2>&1 || apt_install docker-cli
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y "$@" \
        >"$ENGINE_DIR/packages.log" 2>&1 || { tail -n 20 "$ENGINE_DIR/packages.log" >&2; exit 1; }
}

make_rootfs() {
    [ -e "$ROOTFS/.complete" ] && return 0
    say "unpacking Debian $SUITE"
    rm -rf "$ROOTFS"
    mkdir -p "$ROOTFS"
    debootstrap --variant=minbase "$SUITE" "$ROOTFS" >"$ENGINE_DIR/debootstrap.log" 2>&1 ||
        { tail -n 20 "$ENGINE_DIR/debootstrap.log" >&2; fail "debootstrap failed (see above)."; }
    # As in the published image: packages are unpacked without waiting for the disk.
    echo force-unsafe-io > "$ROOTFS/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"
    touch "$ROOTFS/.complete"
}

install_plugins() {
    compose_answers && return 0
    make_rootfs
    say "installing Compose v2 and buildx"
    chroot "$ROOTFS" sh -ec 'apt-get update -qq; mkdir -p /tmp/plugins; cd /tmp/plugins
        chown _apt .; apt-get download -qq docker-compose docker-buildx >/dev/null
        for package in *.deb; do dpkg -x "$package" .; done'
    mkdir -p "$PLUGINS"
    cp "$ROOTFS"/tmp/plugins/usr/libexec/docker/cli-plugins/docker-* "$PLUGINS"
    rm -rf "$ROOTFS/tmp/plugins"
    compose_answers || fail "Compose v2 and buildx do not run on this machine."
}

start_engine() {
    answers && return 0
    case ${DOCKER_HOST:=unix:///var/run/docker.sock} in
    unix://*) ;;
    *) fail "DOCKER_HOST=$DOCKER_HOST does not answer." ;;
    esac
    mkdir -p "$ENGINE_DIR/data" "$ENGINE_DIR/exec"
    say "starting dockerd"
    PATH=$PATH:/usr/sbin:/sbin setsid dockerd --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" \
        --pidfile "$ENGINE_DIR/dockerd.pid" --host "$DOCKER_HOST" </dev/null >"$ENGINE_DIR/dockerd.log" 2>&1 &
    waited=0
    until answers; do
        kill -0 $! 2>/dev/null || { tail -n 20 "$ENGINE_DIR/dockerd.log" >&2; fail "dockerd ended (see above)."; }
        [ $waited -lt $START_SECONDS ] || { tail -n 20 "$ENGINE_DIR/dockerd.log" >&2; fail "dockerd does not answer."; }
        sleep 1
        waited=$((waited + 1))
    done
}

provide_base_image() {
    docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return 0
    if timeout "$PULL_SECONDS" docker pull --quiet "$BASE_IMAGE" >/dev/null 2>&1; then return 0; fi
    say "no registry answers: making $BASE_IMAGE from Debian's packages"
    [ "$(id -u)" = 0 ] || fail "Making $BASE_IMAGE needs root."
    make_rootfs
    set -- --change 'CMD ["bash"]'
    if ls /usr/local/share/ca-certificates/*.crt >/dev/null 2>&1; then
        # A proxy that intercepts TLS on this machine intercepts it in builds too.
        chroot "$ROOTFS" sh -ec 'apt-get update -qq; DEBIAN_FRONTEND=noninteractive \
            apt-get install -qq -y --no-install-recommends ca-certificates' \
            >"$ENGINE_DIR/ca-certificates.log" 2>&1
        mkdir -p "$ROOTFS/usr/local/share/ca-certificates"
        cp /usr/local/share/ca-certificates/*.crt "$ROOTFS/usr/local/share/ca-certificates/"
        chroot "$ROOTFS" update-ca-certificates >/dev/null 2>&1
        bundle=/etc/ssl/certs/ca-certificates.crt
        set -- "$@" --change "ENV PIP_CERT=$bundle SSL_CERT_FILE=$bundle NODE_EXTRA_CA_CERTS=$bundle"
    fi
    chroot "$ROOTFS" apt-get clean
    # The published slim image leaves the same folders out.
    tar -C "$ROOTFS" --exclude=./.complete --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' \
        --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./usr/share/info/*' \
        --exclude='./var/log/*' --exclude='./var/cache/*/*' --exclude='./dev/*' -c . |
        docker import "$@" - "$BASE_IMAGE" >/dev/null
}

stop() {
    [ -f "$ENGINE_DIR/dockerd.pid" ] || { say "none that was started here runs"; return 0; }
    pid=$(cat "$ENGINE_DIR/dockerd.pid")
    kill "$pid" 2>/dev/null || true
    waited=0
    while kill -0 "$pid" 2>/dev/null; do
        [ $waited -lt 30 ] || fail "dockerd ($pid) does not end."
        sleep 1
        waited=$((waited + 1))
    done
    rm -f "$ENGINE_DIR/dockerd.pid"
    sed -n "s#^[^ ]* \($ENGINE_DIR/[^ ]*\) .*#\1#p" /proc/mounts | sort -r | while read -r mounted; do
        umount "$mounted"
    done
    say "stopped"
}

case ${1:-} in
start)
    mkdir -p "$ENGINE_DIR"
    if ! answers || ! compose_answers; then
        install_packages
        start_engine
        install_plugins
    fi
    provide_base_image
    say "engine $(docker info --format '{{.ServerVersion}}'), Compose $(docker compose version --short)"
    ;;
stop) stop ;;
clean)
    stop
    rm -rf "$ENGINE_DIR"
    ;;
*)
    echo "usage: docker-engine.sh start|stop|clean" >&2
    exit 2
    ;;
esac
