#!/bin/sh
# The command `sentinel` for a host on which Sentinel runs in the container of compose.yaml. With it, the commands in alerts work
# on the host as written:
#
#   install -m 0755 docker/sentinel.sh /usr/local/bin/sentinel
#
# A command runs in the daemon's container. While that is down, it runs in a new container with the same volumes and network.
# If the container is not named `sentinel`, set SENTINEL_CONTAINER, as in docker/.env.
set -eu
name=${SENTINEL_CONTAINER:-sentinel}

case "${1:-run}" in
    run | --live | --dry-run | --once | --config*)
        echo "sentinel: start the daemon with: docker-compose -f docker/compose.yaml --profile inf up -d" >&2
        exit 64
        ;;
esac

about() { docker container inspect --format "$1" "$name"; }

status=$(about '{{.State.Status}}')
terminal=-i
if [ -t 0 ] && [ -t 1 ]; then terminal=-it; fi
# The journal records who settles an order.
person=USER=${SUDO_USER:-$(id -un)}

if [ "$status" = running ]; then
    exec docker exec "$terminal" -e "$person" "$name" sentinel "$@"
fi
echo "sentinel: the container $name is $status; this command runs in a new container with its volumes" >&2
exec docker run --rm "$terminal" -e "$person" --no-healthcheck --read-only --cap-drop ALL \
    --security-opt no-new-privileges:true --volumes-from "$name" --network "$(about '{{.HostConfig.NetworkMode}}')" \
    "$(about '{{.Image}}')" "$@"
