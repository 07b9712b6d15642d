#!/bin/sh
# `sentinel` for a host on which Sentinel runs in the container of compose.yaml, so that the commands of an alert's runbook work
# there as they stand:
#
#   install -m 0755 docker/sentinel.sh /usr/local/bin/sentinel
#
# A command runs in the daemon's container; while that one is down, in one of its own with the same volumes and network.
# SENTINEL_CONTAINER names another container than `sentinel`, here as in docker/.env.
set -eu
name=${SENTINEL_CONTAINER:-sentinel}

case "${1:-run}" in
    run | --live | --dry-run | --once | --config*)
        echo "sentinel: the daemon is started by: docker-compose -f docker/compose.yaml --profile inf up -d" >&2
        exit 64
        ;;
esac

about() { docker container inspect --format "$1" "$name"; }

status=$(about '{{.State.Status}}')
terminal=-i
if [ -t 0 ] && [ -t 1 ]; then terminal=-it; fi
# Who settles an order is noted in the journal.
person=USER=${SUDO_USER:-$(id -un)}

if [ "$status" = running ]; then
    exec docker exec "$terminal" -e "$person" "$name" sentinel "$@"
fi
echo "sentinel: the container $name is $status; this runs in one of its own, with its volumes" >&2
exec docker run --rm "$terminal" -e "$person" --no-healthcheck --read-only --cap-drop ALL \
    --security-opt no-new-privileges:true --volumes-from "$name" --network "$(about '{{.HostConfig.NetworkMode}}')" \
    "$(about '{{.Image}}')" "$@"
