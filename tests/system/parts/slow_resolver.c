/* Preloaded into the daemon: a name server that takes twenty seconds to fail. */
#include <netdb.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    (void)node, (void)service, (void)hints, (void)found;
    sleep(20);
    return EAI_AGAIN;
}
