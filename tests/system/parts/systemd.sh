#!/bin/sh
# A systemd of its own, in namespaces of its own: parts/systemd.py runs it as root, by unshare.
#   systemd.sh DIRECTORY    files/ in it is laid over /; its process id is written to pid
# It shares the machine's network. What it writes under /etc, /var, /run, /tmp and /usr/local is gone with it, and of the
# machine's units it sees none.
set -eu
read -r pid _ < /proc/self/stat
echo "$pid" > "$1/pid.new"

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /mnt
for place in etc var usr/local; do
    mkdir -p "/mnt/upper/$place" "/mnt/work/$place"
    mount -t overlay -o "lowerdir=/$place,upperdir=/mnt/upper/$place,workdir=/mnt/work/$place" overlay "/$place"
done
rm -rf /etc/systemd/system /var/lib/sentinel /var/lib/private
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/lock
cp -r "$1/files/." /

mount -t tmpfs -o mode=755 tmpfs /lib/systemd/system
mount -t tmpfs -o mode=755 tmpfs /lib/systemd/system-generators
for unit in sysinit basic shutdown multi-user network-online time-sync; do
    printf '[Unit]\nDefaultDependencies=no\n' > "/lib/systemd/system/$unit.target"
done

# Its own part of the control groups, in whichever version the machine has them.
controllers=$(ls /sys/fs/cgroup)
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    umount -l /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
    umount -l /sys/fs/cgroup
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    for name in $controllers; do
        mkdir "/sys/fs/cgroup/$name"
        case $name in
            systemd) mount -t cgroup -o none,name=systemd cgroup "/sys/fs/cgroup/$name" ;;
            unified) mount -t cgroup2 cgroup2 "/sys/fs/cgroup/$name" ;;
            *) mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" || rmdir "/sys/fs/cgroup/$name" ;;
        esac
    done
fi
mount -t proc proc /proc
# The kernel's settings are everybody's.
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
# Credentials are mounted by a child and have to be seen by the parent.
mount --make-rshared /
mv "$1/pid.new" "$1/pid"
mount -t tmpfs -o mode=1777 tmpfs /tmp
export container=other
exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=no
