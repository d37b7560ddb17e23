/*
 * The load of plain HTTP: C keep-alive connections, each of which sends a request, waits for its answer, and sends the next.
 *
 *     httpload --port P --path /x [--post BODY] [--status 200] [--connections C] [--requests K] [--warmup W] [--pause-ms M]
 *
 * WSX_ADMIN_KEY, where it is set, is sent as the API key. Every answer must have the wanted status, or the exit status is 1.
 * `--pause-ms`: each connection waits so long between an answer and the next request: a probe beside another load.
 * It ends after K measured requests, or with SIGTERM. Prints one line of JSON; times are from sending to the whole answer.
 */
#define _GNU_SOURCE
#include "load.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

const char *program = "httpload";

enum { REQUEST_BYTES = 1 << 16, PROBE_ROOM = 1 << 20 };

struct connection {
    int fd;
    bool waiting;
    uint64_t at_ns; /* sent at, or to be sent at */
    struct answer answer;
};

static unsigned port, connections = 1, requests, warmup, status = 200, pause_ms;
static const char *path = "/", *post;
static char request[REQUEST_BYTES];
static size_t request_bytes;
static uint32_t *latencies_us;
static uint64_t finished, first_ns, last_ns;
static volatile sig_atomic_t stopping;

static void stop(int number) {
    (void)number;
    stopping = 1;
}

static void write_request(void) {
    const char *key = api_key();
    int length = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", post ? "POST" : "GET", path, port);
    if (key != NULL)
        length += snprintf(request + length, sizeof request - (size_t)length, "Authorization: Bearer %s\r\n", key);
    if (post != NULL)
        length += snprintf(request + length, sizeof request - (size_t)length,
                           "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(post));
    length += snprintf(request + length, sizeof request - (size_t)length, "\r\n%s", post ? post : "");
    if ((size_t)length >= sizeof request)
        fail("--post: at most %d bytes are possible", REQUEST_BYTES / 2);
    request_bytes = (size_t)length;
}

static void ask(struct connection *connection, int poller, unsigned number) {
    const struct dialling how = {.port = port};
    if (connection->fd < 0) {
        connection->fd = dial(&how, number);
        watch(poller, connection->fd, number);
    }
    connection->waiting = true;
    connection->at_ns = nanoseconds(CLOCK_MONOTONIC);
    send_all(connection->fd, request, request_bytes);
}

static void note(uint64_t took_ns, uint64_t now_ns, uint64_t room) {
    if (finished == warmup)
        first_ns = now_ns - took_ns;
    if (finished >= warmup && finished - warmup < room)
        latencies_us[finished - warmup] = (uint32_t)(took_ns / 1000);
    finished++;
    last_ns = now_ns;
}

/* Takes what has come; returns whether the answer is whole. */
static bool take_answer(struct connection *connection, uint64_t room) {
    int got = read_answer(connection->fd, &connection->answer);
    if (got == UNFINISHED)
        return false;
    if (got == CLOSED) { /* servers close connections that were idle for some seconds */
        if (connection->waiting)
            fail("a connection was closed before its answer");
        close(connection->fd);
        connection->fd = -1;
        return false;
    }
    if (got != (int)status)
        fail("%u is wanted, and the answer is: %s", status, connection->answer.bytes);
    uint64_t now_ns = nanoseconds(CLOCK_MONOTONIC);
    note(now_ns - connection->at_ns, now_ns, room);
    connection->waiting = false;
    connection->at_ns = now_ns + pause_ms * UINT64_C(1000000);
    return true;
}

static void run(struct connection *all, int poller, uint64_t room) {
    uint64_t wanted = requests > 0 ? (uint64_t)warmup + requests : UINT64_MAX;
    while (!stopping && finished < wanted) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, pause_ms > 0 ? 1 : 100);
        for (int place = 0; place < count && finished < wanted; place++) {
            unsigned number = events[place].data.u32;
            if (take_answer(&all[number], room) && pause_ms == 0)
                ask(&all[number], poller, number);
        }
        uint64_t now_ns = pause_ms > 0 ? nanoseconds(CLOCK_MONOTONIC) : 0;
        for (unsigned number = 0; pause_ms > 0 && number < connections; number++)
            if (!all[number].waiting && all[number].at_ns <= now_ns)
                ask(&all[number], poller, number);
    }
}

int main(int count, char **words) {
    const struct choice choices[] = {
        {"port", &port, NULL, NULL},         {"path", NULL, &path, NULL},         {"post", NULL, &post, NULL},
        {"status", &status, NULL, NULL},     {"requests", &requests, NULL, NULL}, {"connections", &connections, NULL, NULL},
        {"pause-ms", &pause_ms, NULL, NULL}, {"warmup", &warmup, NULL, NULL},
    };
    read_choices(count, words, choices, sizeof choices / sizeof *choices);
    if (port == 0 || connections == 0)
        fail("--port and --connections: at least 1 is wanted");
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    write_request();
    int poller = epoll_create1(0);
    uint64_t room = requests > 0 ? requests : PROBE_ROOM;
    struct connection *all = allocate(connections, sizeof *all);
    latencies_us = allocate(room, sizeof *latencies_us);
    for (unsigned number = 0; number < connections; number++)
        all[number].fd = -1;
    uint64_t busy_before_ns = nanoseconds(CLOCK_PROCESS_CPUTIME_ID), began_ns = nanoseconds(CLOCK_MONOTONIC);
    for (unsigned number = 0; number < connections; number++)
        ask(&all[number], poller, number);
    run(all, poller, room);

    uint64_t measured = finished > warmup ? finished - warmup : 0, kept = measured < room ? measured : room;
    double busy = (double)(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - busy_before_ns) / (double)(last_ns - began_ns + 1);
    sort_us(latencies_us, kept);
    printf("{\"requests\": %" PRIu64 ", \"requests_per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, "
           "\"load_busy\": %.3f}\n",
           measured, measured ? (double)measured * 1e9 / (double)(last_ns - first_ns) : 0, percentile_ms(latencies_us, kept, 50),
           percentile_ms(latencies_us, kept, 99), percentile_ms(latencies_us, kept, 100), busy);
    return 0;
}
