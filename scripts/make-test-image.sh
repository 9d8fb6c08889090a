#!/usr/bin/env bash
# Makes the image redis:7-alpine from this machine's redis-server and busybox, ONLY for machines
# where no registry can be reached, so that the container tests run there too. It is a stand-in,
# not the official image: no entry point, no command. Refuses where the image exists.
set -eu

image=redis:7-alpine
if docker image inspect "$image" >/dev/null 2>&1; then
    echo "the image $image exists already; nothing was made" >&2
    exit 1
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# put BINARY DIRECTORY: the file behind the name, and the libraries that it loads.
put() {
    local path
    path=$(command -v "$1") || {
        echo "$1 is missing: apt-get install redis-server redis-tools busybox-static" >&2
        exit 1
    }
    cp -L "$path" "$root/$2/$1"
    { ldd "$path" 2>/dev/null || true; } | grep -o '/[^ ]*' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
}

mkdir -p "$root"/{bin,data,dev,etc,proc,sys,tmp,usr/bin}
chmod 1777 "$root/tmp"
put redis-server usr/bin
put redis-cli usr/bin
put busybox bin
for applet in sh cat awk nc timeout ls sleep kill; do
    ln -s busybox "$root/bin/$applet"
done
tar -C "$root" -c . | docker import --message "made by scripts/make-test-image.sh" - "$image" >/dev/null
echo "made $image from $(redis-server --version | cut -d' ' -f1-3)"
