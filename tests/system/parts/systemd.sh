#!/bin/sh
# A separate systemd in its own namespaces: parts/systemd.py runs it as root with unshare.
#   systemd.sh DIRECTORY    copies its files/ over /, and writes the process id to pid
# It shares the machine's network. Everything that it writes under /etc, /var, /run, /tmp and /usr/local is removed with it. It
# does not see the machine's units.
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

# Its own part of the control groups, in the machine's version of them.
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
# The kernel's settings are shared with the machine.
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
# Credentials are mounted by a child process and must be visible for the parent.
mount --make-rshared /
mv "$1/pid.new" "$1/pid"
mount -t tmpfs -o mode=1777 tmpfs /tmp
export container=other
exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=no
