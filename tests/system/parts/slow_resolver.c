/* Preloaded into the daemon: name lookups fail after twenty seconds. */
#include <netdb.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    (void)node, (void)service, (void)hints, (void)found;
    sleep(20);
    return EAI_AGAIN;
}
