// Waits SYNC_DELAY_MS milliseconds in front of each fdatasync, then does it. Loaded into any build of
// the server by LD_PRELOAD: unlike a tracer it costs nothing between the syncs.

#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct timespec delay;

__attribute__((constructor)) static void read_delay(void) {
    const char *text = getenv("SYNC_DELAY_MS");
    long delay_ms = text ? atol(text) : 0;
    delay.tv_sec = delay_ms / 1000;
    delay.tv_nsec = delay_ms % 1000 * 1000000;
}

int fdatasync(int file) {
    nanosleep(&delay, NULL);
    return syscall(SYS_fdatasync, file);
}
