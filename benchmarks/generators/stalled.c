#define _GNU_SOURCE
#include "wsload.h"

#include <stdlib.h>
#include <sys/epoll.h>

enum {
    TOO_SLOW = 1013,    /* close code of a client that reads too little */
    WAKING_MS = 20000,  /* how long the stalled ones may read what waited */
};

/* The newest broadcast that this socket should know. */
static unsigned newest_for(unsigned number) {
    unsigned sequence = published - 1;
    while (sequence % options.groups != number % options.groups)
        sequence--;
    return sequence;
}

struct waking wake_stalled(void) {
    struct waking waking = {0};
    bool *ended = allocate(options.sockets, sizeof *ended);
    for (unsigned number = options.sockets - options.stalled; number < options.sockets; number++)
        watch(poller, listeners[number].fd, number);
    uint64_t until_ns = nanoseconds(CLOCK_MONOTONIC) + WAKING_MS * UINT64_C(1000000);
    uint64_t quiet_ns = 5 * QUIET_MS * UINT64_C(1000000);
    last_text_ns = nanoseconds(CLOCK_MONOTONIC);
    for (uint64_t now_ns = last_text_ns; now_ns < until_ns && now_ns - last_text_ns < quiet_ns;
         now_ns = nanoseconds(CLOCK_MONOTONIC)) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, QUIET_MS);
        for (int place = 0; place < count; place++) {
            unsigned number = events[place].data.u32;
            if (!is_stalled(number)) {
                read_frames(number);
            } else if (!take_what_came(number)) {
                ended[number] = true;
                epoll_ctl(poller, EPOLL_CTL_DEL, listeners[number].fd, NULL);
            }
        }
    }
    for (unsigned number = options.sockets - options.stalled; number < options.sockets; number++) {
        waking.slow += listeners[number].closed == TOO_SLOW;
        waking.lost += ended[number] && listeners[number].closed == 0;
        waking.newest += !ended[number] && listeners[number].newest == (long)newest_for(number);
    }
    waking.old = options.stalled - waking.slow - waking.lost - waking.newest;
    free(ended);
    return waking;
}
