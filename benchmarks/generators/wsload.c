/*
 * The load: N WebSocket connections that listen and J HTTP connections that publish, in one process, one thread and one epoll loop.
 *
 *     wsload --port P [options]; with no options: 1,000 sockets, one publisher, 200 broadcasts to everyone
 *
 * The environment variable WSX_ADMIN_KEY holds the API key. Each publisher sends a POST, waits for its answer (202) and goes on.
 * With --talkers a broadcast is a message that one of the sockets says in a room, and its answer comes by that socket, too.
 * The HTML of a broadcast carries its sequence number, and its time of sending stays here: publishers and listeners read the same
 * monotonic clock. A delivery is one message with a sequence number that this socket had not seen yet. All deliveries of all
 * broadcasts must arrive, each once, each only at those it is for, and each with B bytes of text, or the exit status is 1.
 *
 * Not measured: the first broadcast, which shows how much padding makes a message of B bytes, and W more to warm up.
 * Prints one line of JSON. `seconds`: from the first measured POST to the last delivery. `p50_ms`, `p99_ms`: from sending a POST to
 * reading one delivery of it; `complete_..._ms`: to reading the last. `load_busy`, `server_busy`: the part of `seconds` in which
 * this process, and that of --process, used a core; where `load_busy` is near 1, the load is the bottleneck.
 */
#define _GNU_SOURCE
#include "wsload.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { WORD = 100000000 }; /* the number of the standard input among the connections */

const char *program = "wsload";
int poller;

struct options options = {
    .sockets = 1000,
    .in_flight = 256,
    .groups = 1,
    .broadcasts = 200,
    .publishers = 1,
    .bytes = 357,
    .warmup = 20,
    .timeout_s = 60,
    .audience = "{\"kind\":\"everyone\"}",
    .swap = "beforeend",
    .path = "/api/v1/broadcasts",
};

static const struct choice CHOICES[] = {
    {"port", &options.server.port, NULL, NULL},
    {"second-port", &options.second_port, NULL, NULL}, /* of another node: every other socket goes there, no broadcast does */
    {"sockets", &options.sockets, NULL, NULL},
    {"in-flight", &options.in_flight, NULL, NULL},   /* handshakes at a time */
    {"browser", NULL, NULL, &options.browser},       /* handshakes have a browser's headers; deflate is offered */
    {"tokens", NULL, &options.tokens, NULL},         /* a file with a token for each socket, which comes as a cookie */
    {"says", NULL, &options.says, NULL},             /* what each hearer says before all; it must hear an answer */
    {"hearers", &options.hearers, NULL, NULL},       /* the first so many sockets hear the broadcasts; 0: all */
    {"groups", &options.groups, NULL, NULL},         /* socket n is in group n % G, and broadcasts go to one group after another */
    {"audience", NULL, &options.audience, NULL},     /* of a broadcast, as JSON; GROUP is the group's number */
    {"swap", NULL, &options.swap, NULL},             /* how a broadcast is swapped in; several with commas: one after another */
    {"path", NULL, &options.path, NULL},             /* where to POST */
    {"talkers", &options.talkers, NULL, NULL},       /* no POSTs: the first so many hearers say it over their sockets, in --room */
    {"room", NULL, &options.room, NULL},             /* all hearers must be in it: see --says */
    {"bodies", NULL, &options.bodies, NULL},         /* a file with HTML, a line of JSON text for each broadcast */
    {"broadcasts", &options.broadcasts, NULL, NULL}, /* measured ones */
    {"publishers", &options.publishers, NULL, NULL},
    {"rate", &options.rate, NULL, NULL},             /* broadcasts a second; 0: as soon as the last is answered */
    {"one-by-one", NULL, NULL, &options.one_by_one}, /* the next one only when the last has arrived everywhere */
    {"bytes", &options.bytes, NULL, NULL},           /* length of a message; 0: any */
    {"warmup", &options.warmup, NULL, NULL},
    {"timeout", &options.timeout_s, NULL, NULL},
    {"process", &options.process, NULL, NULL},       /* the server's, for its processor time */
    {"hold", NULL, NULL, &options.hold},             /* print a line when all is open, publish when one comes; wait for another */
    {"stalled", &options.stalled, NULL, NULL},       /* the last so many sockets read nothing until the end */
    {"stalled-bytes", &options.stalled_bytes, NULL, NULL},     /* their receive buffer */
    {"stalled-segment", &options.stalled_segment, NULL, NULL}, /* their largest TCP segment */
};

static void read_options(int count, char **words) {
    read_choices(count, words, CHOICES, sizeof CHOICES / sizeof *CHOICES);
    if (options.hearers == 0)
        options.hearers = options.sockets;
    if (options.server.port == 0 || options.sockets == 0 || options.publishers == 0 || options.groups == 0 ||
        options.in_flight == 0)
        fail("--port, --sockets, --publishers, --groups and --in-flight: at least 1 is wanted");
    if (options.bytes > MAX_MESSAGE_BYTES || options.hearers > options.sockets || options.stalled > options.sockets)
        fail("--bytes: at most %d are possible; --hearers, --stalled: at most --sockets", MAX_MESSAGE_BYTES);
    if (options.talkers > 0)
        options.publishers = options.talkers;
    if (options.talkers > options.hearers || (options.talkers > 0 && options.room == NULL))
        fail("--talkers: at most --hearers, and in a --room");
    if (options.says != NULL && strlen(options.says) > 125)
        fail("--says: at most 125 bytes are possible");
}

static bool told; /* a line has come, or the end of the standard input */

static void serve_events(int timeout_ms) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poller, events, EVENTS, timeout_ms);
    for (int place = 0; place < count; place++) {
        unsigned number = events[place].data.u32;
        if (number == WORD)
            told = true;
        else if (number < options.sockets)
            read_frames(number);
        else
            read_publisher(number - options.sockets);
    }
}

/* Publishes until `until` broadcasts are out in all; returns whether all of them arrived everywhere in time. */
static bool run_until(unsigned until) {
    uint64_t wanted = wanted_until(until), now_ns = nanoseconds(CLOCK_MONOTONIC);
    uint64_t deadline_ns = now_ns + options.timeout_s * UINT64_C(1000000000);
    publish_until(until);
    while (answered < until || deliveries.arrived < wanted) {
        serve_events(options.rate > 0 ? 1 : 100);
        now_ns = nanoseconds(CLOCK_MONOTONIC);
        publish_what_is_due(now_ns);
        if (now_ns > deadline_ns)
            return false;
    }
    return true;
}

/* The sockets stay open until a line comes. */
static void wait_for_word(void) {
    char line[64];
    fflush(stdout);
    watch(poller, STDIN_FILENO, WORD);
    for (told = false; !told;)
        serve_events(1000);
    epoll_ctl(poller, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    if (read(STDIN_FILENO, line, sizeof line) == 0)
        exit(0); /* nobody wants the rest */
}

static void print_opening(const struct opening *opening) {
    printf("{\"sockets\": %u, \"connects_per_s\": %.1f, \"handshake_p50_ms\": %.3f, \"handshake_p99_ms\": %.3f}\n", options.sockets,
           options.sockets / opening->seconds, percentile_ms(opening->handshakes_us, options.sockets, 50),
           percentile_ms(opening->handshakes_us, options.sockets, 99));
}

struct cost {
    double load_s, server_s;
};

static struct cost cost_so_far(void) {
    return (struct cost){(double)nanoseconds(CLOCK_PROCESS_CPUTIME_ID) / 1e9, server_cpu_s(options.process)};
}

static void print_result(uint64_t wanted, uint64_t span_ns, struct cost before, struct cost after) {
    double seconds = (double)span_ns / 1e9 + 1e-9, count = (double)deliveries.measured;
    uint32_t *us = deliveries.latencies_us, *whole_us = deliveries.completions_us;
    sort_us(us, deliveries.measured);
    sort_us(whole_us, options.broadcasts);
    printf("\"deliveries\": %" PRIu64 ", \"missing\": %" PRIu64 ", \"others\": %" PRIu64 ", \"message_bytes\": %zu, ",
           deliveries.measured, wanted - deliveries.measured, deliveries.others, deliveries.message_bytes);
    printf("\"seconds\": %.6f, \"deliveries_per_s\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, ", seconds, count / seconds,
           percentile_ms(us, deliveries.measured, 50), percentile_ms(us, deliveries.measured, 99));
    printf("\"complete_p50_ms\": %.3f, \"complete_p99_ms\": %.3f, ", percentile_ms(whole_us, options.broadcasts, 50),
           percentile_ms(whole_us, options.broadcasts, 99));
    printf("\"wire_bytes\": %" PRIu64 ", \"server_us_per_delivery\": %.3f, ", deliveries.wire_bytes,
           count > 0 ? (after.server_s - before.server_s) * 1e6 / count : 0);
    printf("\"load_busy\": %.3f, \"server_busy\": %.3f", (after.load_s - before.load_s) / seconds,
           (after.server_s - before.server_s) / seconds);
}

/* The broadcasts; returns whether all of them arrived. */
static bool run(unsigned first_measured, unsigned all) {
    if (!run_until(1))
        fail("%" PRIu64 " sockets heard the first broadcast in %u s", deliveries.arrived, options.timeout_s);
    if (options.bytes > 0 && deliveries.message_bytes > options.bytes)
        fail("--bytes: an empty message has %zu already", deliveries.message_bytes);
    set_padding(options.bytes > 0 ? options.bytes - (unsigned)deliveries.message_bytes : 0);
    if (!run_until(first_measured))
        fail("warming up took more than %u s", options.timeout_s);
    struct cost before = cost_so_far();
    bool complete = run_until(all);
    uint64_t span_ns = deliveries.measured ? deliveries.last_arrival_ns - sent_at_ns(first_measured) : 0;
    print_result(wanted_until(all) - wanted_until(first_measured), span_ns, before, cost_so_far());
    return complete;
}

int main(int count, char **words) {
    read_options(count, words);
    signal(SIGPIPE, SIG_IGN);
    unsigned first_measured = 1 + options.warmup, all = first_measured + options.broadcasts;
    bool complete = true;
    poller = epoll_create1(0);
    prepare_deliveries(first_measured, all);
    struct opening opening = open_listeners();
    greet();
    if (options.hold) {
        print_opening(&opening);
        wait_for_word();
    }
    prepare_publishers(all);
    printf("{");
    if (options.broadcasts > 0)
        complete = run(first_measured, all);
    if (options.stalled > 0) {
        struct waking waking = wake_stalled();
        printf(", \"woken_newest\": %u, \"woken_1013\": %u, \"woken_lost\": %u, \"woken_old\": %u", waking.newest, waking.slow,
               waking.lost, waking.old);
    }
    printf("%s\"connects_per_s\": %.1f, \"handshake_p99_ms\": %.3f}\n", options.broadcasts > 0 ? ", " : "",
           options.sockets / opening.seconds, percentile_ms(opening.handshakes_us, options.sockets, 99));
    if (options.hold)
        wait_for_word();
    return complete ? 0 : 1;
}
