/* Preloaded into the daemon: a file named halt needs six seconds to the disk, as on one that is busy. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int file) {
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length >= 5 && strcmp(path + length - 5, "/halt") == 0) sleep(6);
    return (int)syscall(SYS_fsync, file);
}
