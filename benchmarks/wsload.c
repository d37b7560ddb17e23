/*
 * The load: N WebSocket connections that listen and J HTTP connections that publish, in one process, one thread and one epoll loop.
 *
 *     wsload --port P [--sockets N] [--broadcasts K] [--publishers J] [--bytes B] [--warmup W] [--timeout S]
 *
 * The environment variable WSX_ADMIN_KEY holds the API key. Each publisher sends a POST, waits for its answer (202) and goes on.
 * The HTML of a broadcast carries its sequence number, and its time of sending stays here: publishers and listeners read the same
 * monotonic clock. A delivery is one message with a sequence number that this socket had not seen yet. All deliveries of all
 * broadcasts must arrive, each once and each with B bytes of text, or the exit status is 1.
 *
 * Not measured: the first broadcast, which shows how much padding makes a message of B bytes, and W more to warm up.
 * Prints one line of JSON. `seconds`: from the first measured POST to the last delivery. `p50_ms`, `p99_ms`: from sending a POST to
 * reading one delivery of it. `load_busy`: the part of `seconds` in which this process used its core; near 1, it is the bottleneck.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 256,                /* events taken from the kernel at once */
    READ_BYTES = 1 << 18,        /* at most read at once from one socket, with what was left of the last read */
    ANSWER_BYTES = 1 << 13,      /* longest HTTP answer */
    MAX_MESSAGE_BYTES = 60000,   /* a message fits a frame with two bytes of length */
    MAX_KEY_CHARS = 2000,
    SOCKETS_PER_ADDRESS = 20000, /* one loopback address has some 28,000 ports to connect from */
    CONNECT_TIMEOUT_S = 20,      /* for one handshake */
    TEXT = 0x81,                 /* first byte of a whole text message; the server sends no fragments */
    CLOSE = 0x88,
    PING = 0x89,
    PONG = 0x8a,
};

/* The key of RFC 6455, 1.3, and the answer that belongs to it. */
static const char HANDSHAKE[] =
    "GET /ws HTTP/1.1\r\n"
    "Host: 127.0.0.1:%u\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static const char ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
static const char MARK[] = "seq=";

/* `beforeend` and not `innerHTML`: of several updates that replace the same content a server may rightly send only the newest. */
static const char BODY[] =
    "{\"audience\":{\"kind\":\"everyone\"},\"target\":\"#x\",\"html\":\"<p>seq=%08u %.*s</p>\",\"swap\":\"beforeend\"}";
static const char POST[] =
    "POST /api/v1/broadcasts HTTP/1.1\r\n"
    "Host: 127.0.0.1:%u\r\n"
    "Authorization: Bearer %s\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: %d\r\n\r\n%s";

struct listener {
    int fd;
    unsigned char *rest; /* the beginning of a frame whose end has not come yet */
    size_t rest_bytes;
};

struct publisher {
    int fd;
    bool waiting; /* for its answer */
    char answer[ANSWER_BYTES];
    size_t answer_bytes;
};

static struct {
    unsigned port, sockets, broadcasts, publishers, bytes, warmup, timeout_s;
    const char *key;
} options = {.sockets = 1000, .broadcasts = 200, .publishers = 1, .bytes = 357, .warmup = 20, .timeout_s = 60};

static int poller;
static struct listener *listeners;
static struct publisher *publishers;
static char padding[MAX_MESSAGE_BYTES];
static unsigned padding_bytes;

static unsigned first_measured;  /* sequence number of the first broadcast that is measured */
static unsigned published;       /* broadcasts sent; the next sequence number */
static unsigned publish_until;   /* broadcasts that this phase may send */
static unsigned answered;        /* broadcasts answered */
static uint64_t arrived;         /* deliveries of all phases */
static uint64_t last_arrival_ns; /* when the newest delivery was read */
static size_t message_bytes;     /* of the newest message */
static uint64_t *sent_ns;        /* when each broadcast was sent, by sequence number */
static uint8_t *seen;            /* one bit for each socket and sequence number: arrived */
static uint32_t *latencies_us;   /* of measured deliveries, in order of arrival */
static uint64_t measured;        /* how many these are */

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("wsload: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL)
        fail("no memory for %zu x %zu bytes", count, size);
    return memory;
}

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void send_all(int fd, const void *bytes, size_t length) {
    if (send(fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        fail("send: %s", strerror(errno));
}

/* -- connecting ---------------------------------------------------------------------------------------------------------- */

/* Connection `number`, watched by the loop: first those of the listeners, from 127.0.0.1, then 127.0.0.2, and so on. */
static int dial(unsigned number) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        fail("connection %u: %s; the limit of open files (ulimit -n) may be too low", number + 1, strerror(errno));
    int on = 1;
    struct timeval patience = {.tv_sec = CONNECT_TIMEOUT_S};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / SOCKETS_PER_ADDRESS)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)options.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("connection %u to port %u: %s", number + 1, options.port, strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl: %s", strerror(errno));
    return fd;
}

static void keep_rest(struct listener *listener, const void *bytes, size_t length) {
    free(listener->rest);
    listener->rest = length > 0 ? allocate(length, 1) : NULL;
    listener->rest_bytes = length;
    if (length > 0)
        memcpy(listener->rest, bytes, length);
}

static void open_listener(struct listener *listener, unsigned number) {
    char head[ANSWER_BYTES + 1];
    int length = snprintf(head, sizeof head, HANDSHAKE, options.port);
    listener->fd = dial(number);
    send_all(listener->fd, head, (size_t)length);
    size_t have = 0;
    char *end;
    for (head[0] = '\0'; (end = strstr(head, "\r\n\r\n")) == NULL;) {
        ssize_t count = recv(listener->fd, head + have, ANSWER_BYTES - have, 0);
        if (count <= 0)
            fail("socket %u: no answer to the handshake", number + 1);
        have += (size_t)count;
        head[have] = '\0';
    }
    if (strncmp(head, "HTTP/1.1 101 ", 13) != 0 || strstr(head, ACCEPT) == NULL)
        fail("socket %u: the handshake was refused: %.*s", number + 1, (int)strcspn(head, "\r\n"), head);
    end += 4;
    keep_rest(listener, end, have - (size_t)(end - head));
}

/* -- publishing ---------------------------------------------------------------------------------------------------------- */

static void publish(struct publisher *publisher) {
    static char body[MAX_MESSAGE_BYTES + 512], request[MAX_MESSAGE_BYTES + 4096];
    if (publisher->waiting || published == publish_until)
        return;
    int body_bytes = snprintf(body, sizeof body, BODY, published, (int)padding_bytes, padding);
    int request_bytes = snprintf(request, sizeof request, POST, options.port, options.key, body_bytes, body);
    if (publisher->fd < 0)
        publisher->fd = dial(options.sockets + (unsigned)(publisher - publishers));
    publisher->waiting = true;
    sent_ns[published++] = nanoseconds(CLOCK_MONOTONIC);
    send_all(publisher->fd, request, (size_t)request_bytes);
}

/* Reads what has come of an answer; once it is whole, publishes the next broadcast. */
static void read_answer(struct publisher *publisher) {
    char *answer = publisher->answer;
    ssize_t count = recv(publisher->fd, answer + publisher->answer_bytes, ANSWER_BYTES - 1 - publisher->answer_bytes, 0);
    if (count == 0 && !publisher->waiting) { /* servers close HTTP connections that were idle for some seconds */
        close(publisher->fd);
        publisher->fd = -1;
        return;
    }
    if (count <= 0)
        fail("a publisher's connection was closed, or its answer is longer than %d bytes", ANSWER_BYTES - 1);
    publisher->answer_bytes += (size_t)count;
    answer[publisher->answer_bytes] = '\0';
    const char *body = strstr(answer, "\r\n\r\n");
    if (body == NULL)
        return; /* the rest of its head will come */
    body += 4;
    const char *length = strcasestr(answer, "\r\nContent-Length:");
    if (length == NULL || length > body)
        fail("an answer does not announce its length");
    if (strtoul(length + 17, NULL, 10) > publisher->answer_bytes - (size_t)(body - answer))
        return;
    if (strncmp(answer, "HTTP/1.1 202 ", 13) != 0)
        fail("a broadcast was refused: %s", answer);
    publisher->answer_bytes = 0;
    publisher->waiting = false;
    answered++;
    publish(publisher);
}

/* -- listening ----------------------------------------------------------------------------------------------------------- */

static void count_delivery(unsigned number, const unsigned char *message, size_t length, uint64_t now_ns) {
    const char *mark = memmem(message, length, MARK, sizeof MARK - 1);
    if (mark == NULL)
        fail("socket %u: a message that nobody published: %.*s", number + 1, (int)length, (const char *)message);
    unsigned sequence = (unsigned)strtoul(mark + sizeof MARK - 1, NULL, 10);
    if (sequence >= published)
        fail("socket %u: broadcast %u was not published yet", number + 1, sequence);
    if (sequence > 0 && length != options.bytes)
        fail("socket %u: a message of %zu bytes, not %u", number + 1, length, options.bytes);
    uint64_t bit = (uint64_t)sequence * options.sockets + number;
    if (seen[bit / 8] & 1u << bit % 8)
        fail("socket %u: broadcast %u came twice", number + 1, sequence);
    seen[bit / 8] |= (uint8_t)(1u << bit % 8);
    arrived++;
    last_arrival_ns = now_ns;
    message_bytes = length;
    if (sequence >= first_measured)
        latencies_us[measured++] = (uint32_t)((now_ns - sent_ns[sequence]) / 1000);
}

static void take_frame(unsigned number, unsigned char kind, const unsigned char *payload, size_t length, uint64_t now_ns) {
    if (kind == TEXT) {
        count_delivery(number, payload, length, now_ns);
    } else if (kind == PING && length <= 125) {
        unsigned char pong[6 + 125] = {PONG, (unsigned char)(0x80 | length)}; /* masked with zeros, which changes nothing */
        memcpy(pong + 6, payload, length);
        send_all(listeners[number].fd, pong, 6 + length);
    } else if (kind == CLOSE) {
        fail("socket %u: the server closed it with %d", number + 1, length >= 2 ? payload[0] << 8 | payload[1] : 1005);
    } else if (kind != PONG) {
        fail("socket %u: a frame that begins with 0x%02x", number + 1, kind);
    }
}

static void read_frames(unsigned number) {
    static unsigned char buffer[READ_BYTES];
    struct listener *listener = &listeners[number];
    size_t have = listener->rest_bytes, done = 0;
    if (have > 0)
        memcpy(buffer, listener->rest, have);
    ssize_t count = recv(listener->fd, buffer + have, sizeof buffer - have, 0);
    if (count <= 0)
        fail("socket %u: the connection was lost after %" PRIu64 " deliveries in all", number + 1, arrived);
    uint64_t now_ns = nanoseconds(CLOCK_MONOTONIC);
    have += (size_t)count;
    while (have - done >= 2) {
        const unsigned char *frame = buffer + done;
        size_t header = 2, length = frame[1];
        if (length >= 127)
            fail("socket %u: a masked frame, or one of more than 65,535 bytes", number + 1);
        if (length == 126) {
            header = 4;
            if (have - done < header)
                break;
            length = (size_t)frame[2] << 8 | frame[3];
        }
        if (have - done < header + length)
            break;
        take_frame(number, frame[0], frame + header, length, now_ns);
        done += header + length;
    }
    if (listener->rest_bytes > 0 || have > done)
        keep_rest(listener, buffer + done, have - done);
}

/* -- the run ------------------------------------------------------------------------------------------------------------- */

/* Publishes until `until` broadcasts are out in all; returns whether all of them arrived everywhere in time. */
static bool run_until(unsigned until) {
    uint64_t deadline_ns = nanoseconds(CLOCK_MONOTONIC) + options.timeout_s * UINT64_C(1000000000);
    publish_until = until;
    for (unsigned place = 0; place < options.publishers; place++)
        publish(&publishers[place]);
    while (answered < until || arrived < (uint64_t)until * options.sockets) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, 100);
        for (int place = 0; place < count; place++) {
            unsigned number = events[place].data.u32;
            if (number < options.sockets)
                read_frames(number);
            else
                read_answer(&publishers[number - options.sockets]);
        }
        if (nanoseconds(CLOCK_MONOTONIC) > deadline_ns)
            return false;
    }
    return true;
}

static int by_size(const void *left, const void *right) {
    uint32_t one = *(const uint32_t *)left, other = *(const uint32_t *)right;
    return (one > other) - (one < other);
}

/* Milliseconds that `percent` of the measured deliveries did not exceed (nearest rank). */
static double percentile_ms(unsigned percent) {
    return measured > 0 ? latencies_us[(measured * percent + 99) / 100 - 1] / 1e3 : 0;
}

static void print_result(uint64_t span_ns, uint64_t busy_ns) {
    uint64_t missing = (uint64_t)options.broadcasts * options.sockets - measured;
    double seconds = (double)span_ns / 1e9, per_second = span_ns ? (double)measured / seconds : 0;
    double busy = span_ns ? (double)busy_ns / (double)span_ns : 0;
    qsort(latencies_us, measured, sizeof *latencies_us, by_size);
    printf("{\"sockets\": %u, \"broadcasts\": %u, \"publishers\": %u, \"message_bytes\": %zu, ", options.sockets,
           options.broadcasts, options.publishers, message_bytes);
    printf("\"deliveries\": %" PRIu64 ", \"missing\": %" PRIu64 ", \"seconds\": %.6f, ", measured, missing, seconds);
    printf("\"deliveries_per_s\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"load_busy\": %.3f}\n", per_second,
           percentile_ms(50), percentile_ms(99), busy);
}

static void read_options(int count, char **words) {
    static const char *const names[] = {"port", "sockets", "broadcasts", "publishers", "bytes", "warmup", "timeout"};
    unsigned *const values[] = {&options.port,  &options.sockets, &options.broadcasts, &options.publishers,
                                &options.bytes, &options.warmup,  &options.timeout_s}; /* in the order of their names */
    enum { KNOWN = sizeof names / sizeof *names };
    struct option known[KNOWN + 1] = {{0}};
    for (int place = 0; place < KNOWN; place++)
        known[place] = (struct option){.name = names[place], .has_arg = required_argument, .val = place};
    for (int place; (place = getopt_long(count, words, "", known, NULL)) != -1;) {
        if (place < 0 || place >= KNOWN)
            exit(2);
        char *end;
        unsigned long value = strtoul(optarg, &end, 10);
        if (*optarg < '0' || *optarg > '9' || *end != '\0' || value > 100000000)
            fail("--%s %s: a number is wanted", names[place], optarg);
        *values[place] = (unsigned)value;
    }
    if (options.port == 0 || options.sockets == 0 || options.broadcasts == 0 || options.publishers == 0)
        fail("--port, --sockets, --broadcasts and --publishers: at least 1 is wanted");
    if (options.bytes > MAX_MESSAGE_BYTES)
        fail("--bytes: at most %d is possible", MAX_MESSAGE_BYTES);
    options.key = getenv("WSX_ADMIN_KEY");
    if (options.key == NULL || strlen(options.key) > MAX_KEY_CHARS)
        fail("WSX_ADMIN_KEY: a key of at most %d characters is wanted", MAX_KEY_CHARS);
}

static void prepare(unsigned all) {
    sent_ns = allocate(all, sizeof *sent_ns);
    seen = allocate((uint64_t)all * options.sockets / 8 + 1, 1);
    latencies_us = allocate((uint64_t)options.broadcasts * options.sockets, sizeof *latencies_us);
    memset(padding, 'x', sizeof padding);
    poller = epoll_create1(0);
    listeners = allocate(options.sockets, sizeof *listeners);
    publishers = allocate(options.publishers, sizeof *publishers);
    for (unsigned number = 0; number < options.sockets; number++)
        open_listener(&listeners[number], number);
    for (unsigned place = 0; place < options.publishers; place++)
        publishers[place].fd = dial(options.sockets + place);
}

int main(int count, char **words) {
    read_options(count, words);
    first_measured = 1 + options.warmup;
    unsigned all = first_measured + options.broadcasts;
    prepare(all);
    if (!run_until(1))
        fail("%" PRIu64 " of %u sockets heard the first broadcast in %u s", arrived, options.sockets, options.timeout_s);
    if (message_bytes > options.bytes)
        fail("--bytes: an empty message has %zu already", message_bytes);
    padding_bytes = options.bytes - (unsigned)message_bytes;
    if (!run_until(first_measured))
        fail("warming up took more than %u s", options.timeout_s);

    uint64_t busy_before_ns = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    bool complete = run_until(all);
    uint64_t busy_ns = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - busy_before_ns;
    print_result(measured ? last_arrival_ns - sent_ns[first_measured] : 0, busy_ns);
    return complete ? 0 : 1;
}
