#!/usr/bin/env bash
# Stand-ins for the two base images of docker/Dockerfile, made from this machine's own package sources and Rust toolchain, so
# that no image registry is needed:
#
#   bash tests/engine/stand_ins.sh        as root; prints the names of both; existing images are kept
#
# Debian without documentation, like the slim image; and the same with a C compiler and the toolchain in /usr/local.
set -euo pipefail

suite=bookworm
debian=sentinel-stand-in/debian:$suite-slim
rust=sentinel-stand-in/rust:$(rustc --version | cut -d' ' -f2)-$suite
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

is_there() { docker image inspect "$1" >/dev/null 2>&1; }

# The mirror with the suite, from this machine's package sources.
mirror() {
    apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)' 'Identifier: Packages' \
        | awk -v suite="$suite" '$1 == "Debian" && $2 == suite && $3 == "main" && !found++ { print $4 }'
}

make_debian() {
    local from
    from=$(mirror)
    [ -n "$from" ] || { apt-get update && from=$(mirror); }
    [ -n "$from" ] || { echo "no package source of this machine has Debian $suite" >&2; return 1; }
    mkdir "$scratch/root"
    debootstrap --variant=minbase --exclude=tzdata "$suite" "$scratch/root" "$from" || {
        tail -n 20 "$scratch/root/debootstrap/debootstrap.log" >&2
        return 1
    }
    rm -rf "$scratch"/root/var/cache/apt/* "$scratch"/root/var/lib/apt/lists/* "$scratch"/root/var/log/*
    find "$scratch/root/usr/share/doc" -type f ! -name copyright -delete
    rm -rf "$scratch"/root/usr/share/{man,info,locale}/*
    { printf 'path-exclude /usr/share/%s/*\n' doc man info locale; echo 'path-include /usr/share/doc/*/copyright'; } \
        >"$scratch/root/etc/dpkg/dpkg.cfg.d/docker"
    tar -C "$scratch/root" -c . | docker import --change 'CMD ["bash"]' - "$debian"
    rm -rf "$scratch/root"
}

make_rust() {
    local sysroot
    sysroot=$(rustc --print sysroot)
    # This machine's root certificates, for networks in which the registries have a private certificate.
    cp -L /etc/ssl/certs/ca-certificates.crt "$scratch/trusted.crt"
    cat >"$scratch/Dockerfile" <<END
FROM $debian
RUN apt-get update \\
    && apt-get install -y --no-install-recommends gcc g++ libc6-dev \\
    && rm -rf /var/lib/apt/lists/*
ADD trusted.crt /usr/local/share/trusted.crt
ADD bin /usr/local/bin/
ADD lib /usr/local/lib/
ENV CARGO_HTTP_CAINFO=/usr/local/share/trusted.crt
END
    tar -c -C "$scratch" Dockerfile trusted.crt -C "$sysroot" bin lib \
        | DOCKER_BUILDKIT=0 docker build --force-rm -t "$rust" -
}

is_there "$debian" || make_debian >&2
is_there "$rust" || make_rust >&2
echo "$debian $rust"
