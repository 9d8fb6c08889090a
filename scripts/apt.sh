# To be sourced.

# apt_may: root on a Debian-like system.
apt_may() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1
}

# apt_install PACKAGE...: installs quietly, and starts none of the packages' services: a Redis
# service would take the port 6379 that belongs to the developer.
apt_install() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update && apt-get install --yes "$@"; } >/dev/null 2>&1 </dev/null
)
