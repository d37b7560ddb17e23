#define _GNU_SOURCE
#include "wsload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TEXT = 0x81,       /* first byte of a whole text message; the servers send no fragments */
    COMPRESSED = 0xc1, /* of one whose text is compressed (RFC 7692) */
    CLOSE = 0x88,
    PING = 0x89,
    PONG = 0x8a,
};

/* The key of RFC 6455, 1.3, and the answer that belongs to it. */
static const char HANDSHAKE[] =
    "GET /ws HTTP/1.1\r\n"
    "Host: 127.0.0.1:%u\r\n"
    "%s"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static const char ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/* What a browser sends beside that. */
static const char BROWSER[] =
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36\r\n"
    "Origin: http://127.0.0.1:%u\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n"
    "Cookie: theme=dark; consent=necessary%s%s\r\n"
    "%s";
static const char DEFLATE[] = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

struct listener *listeners;
uint64_t last_text_ns;

static uint64_t *asked_ns; /* when each connect() began */
static char *token;        /* the next one of --tokens */

bool is_stalled(unsigned number) {
    return number >= options.sockets - options.stalled;
}

/* -- opening: at most --in-flight handshakes wait for their answer at a time ------------------------------------------------- */

static const char *next_token(void) {
    static char *rest;
    if (options.tokens == NULL)
        return NULL;
    if (token == NULL)
        rest = read_whole_file(options.tokens);
    token = strsep(&rest, "\n");
    if (token == NULL || *token == '\0')
        fail("%s: it has less than %u tokens", options.tokens, options.sockets);
    return token;
}

static void ask(unsigned number) {
    char head[8192], browser[6144] = "";
    struct dialling how = options.server;
    if (options.second_port > 0 && number % 2 == 1)
        how.port = options.second_port;
    if (is_stalled(number)) {
        how.receive_bytes = options.stalled_bytes;
        how.segment_bytes = options.stalled_segment;
    }
    const char *user = next_token();
    if (options.browser || user != NULL)
        snprintf(browser, sizeof browser, BROWSER, how.port, user ? "; wsx_token=" : "", user ? user : "",
                 is_stalled(number) || options.talkers > 0 ? "" : DEFLATE); /* what comes is read, to know which it is */
    int length = snprintf(head, sizeof head, HANDSHAKE, how.port, browser);
    asked_ns[number] = nanoseconds(CLOCK_MONOTONIC);
    listeners[number].fd = dial(&how, number);
    listeners[number].newest = -1;
    send_all(listeners[number].fd, head, (size_t)length);
    watch(poller, listeners[number].fd, number);
}

static void keep_rest(struct listener *listener, const void *bytes, size_t length) {
    unsigned char *rest = length > 0 ? allocate(length, 1) : NULL;
    if (length > 0)
        memcpy(rest, bytes, length);
    free(listener->rest);
    listener->rest = rest;
    listener->rest_bytes = length;
}

static void take_frames(unsigned number, const unsigned char *bytes, size_t have, uint64_t now_ns);

/* Reads the answer to a handshake; returns whether it is whole. Frames that came with it are taken. */
static bool read_handshake(unsigned number) {
    static unsigned char buffer[READ_BYTES + 1];
    struct listener *listener = &listeners[number];
    size_t have = listener->rest_bytes;
    if (have > 0)
        memcpy(buffer, listener->rest, have);
    ssize_t count = recv(listener->fd, buffer + have, READ_BYTES - have, 0);
    if (count <= 0)
        fail("socket %u: no answer to the handshake", number + 1);
    have += (size_t)count;
    buffer[have] = '\0';
    const char *end = memmem(buffer, have, "\r\n\r\n", 4);
    if (end == NULL) {
        keep_rest(listener, buffer, have);
        return false;
    }
    if (memcmp(buffer, "HTTP/1.1 101 ", 13) != 0 || memmem(buffer, have, ACCEPT, sizeof ACCEPT - 1) == NULL)
        fail("socket %u: the handshake was refused: %.*s", number + 1, (int)strcspn((char *)buffer, "\r\n"), buffer);
    keep_rest(listener, NULL, 0);
    size_t head = (size_t)(end + 4 - (const char *)buffer);
    take_frames(number, buffer + head, have - head, nanoseconds(CLOCK_MONOTONIC));
    return true;
}

/* One round of events: handshakes are finished, and open sockets read. Returns how many handshakes were finished. */
static unsigned finish_handshakes(uint32_t *handshakes_us) {
    struct epoll_event events[EVENTS];
    unsigned finished = 0;
    int count = epoll_wait(poller, events, EVENTS, 100);
    for (int place = 0; place < count; place++) {
        unsigned number = events[place].data.u32;
        if (handshakes_us[number] > 0) {
            read_frames(number);
        } else if (read_handshake(number)) {
            handshakes_us[number] = 1 + (uint32_t)((nanoseconds(CLOCK_MONOTONIC) - asked_ns[number]) / 1000);
            finished++;
        }
    }
    return finished;
}

struct opening open_listeners(void) {
    struct opening opening = {.handshakes_us = allocate(options.sockets, sizeof *opening.handshakes_us)};
    listeners = allocate(options.sockets, sizeof *listeners);
    asked_ns = allocate(options.sockets, sizeof *asked_ns);
    uint64_t began_ns = nanoseconds(CLOCK_MONOTONIC), deadline_ns = began_ns + options.timeout_s * UINT64_C(1000000000);
    for (unsigned asked = 0, open = 0; open < options.sockets;) {
        while (asked < options.sockets && asked - open < options.in_flight)
            ask(asked++);
        open += finish_handshakes(opening.handshakes_us);
        if (nanoseconds(CLOCK_MONOTONIC) > deadline_ns)
            fail("%u of %u sockets were open after %u s", open, options.sockets, options.timeout_s);
    }
    opening.seconds = (double)(nanoseconds(CLOCK_MONOTONIC) - began_ns) / 1e9;
    for (unsigned number = options.sockets - options.stalled; number < options.sockets; number++)
        epoll_ctl(poller, EPOLL_CTL_DEL, listeners[number].fd, NULL);
    sort_us(opening.handshakes_us, options.sockets);
    return opening;
}

/* -- greeting ---------------------------------------------------------------------------------------------------------------- */

static void say(unsigned number) {
    unsigned char frame[8 + 125] = {TEXT, (unsigned char)(0x80 | strlen(options.says))}; /* masked with zeros: unchanged */
    memcpy(frame + 6, options.says, strlen(options.says));
    send_all(listeners[number].fd, frame, 6 + strlen(options.says));
}

static bool is_quiet(uint64_t now_ns) {
    return now_ns - last_text_ns > QUIET_MS * UINT64_C(1000000);
}

/* Serves events; returns how many hearers have heard their first message by it. */
static unsigned hear(int timeout_ms) {
    struct epoll_event events[EVENTS];
    unsigned heard = 0;
    int count = epoll_wait(poller, events, EVENTS, timeout_ms);
    for (int place = 0; place < count; place++) {
        struct listener *listener = &listeners[events[place].data.u32];
        bool before = listener->said;
        read_frames(events[place].data.u32);
        heard += !before && listener->said;
    }
    return heard;
}

void greet(void) {
    if (options.says == NULL)
        return;
    unsigned waiting = 0;
    uint64_t deadline_ns = nanoseconds(CLOCK_MONOTONIC) + options.timeout_s * UINT64_C(1000000000);
    for (unsigned number = 0; number < options.hearers; number++) {
        bool is_last = number + 1 == options.hearers;
        say(number);
        waiting++;
        do { /* a few at a time, as a server may well refuse thousands at once */
            waiting -= hear(is_last ? QUIET_MS / 10 : 0);
            if (nanoseconds(CLOCK_MONOTONIC) > deadline_ns && waiting > 0)
                fail("%u of %u sockets heard no answer to what they said in %u s", waiting, options.hearers, options.timeout_s);
            if (nanoseconds(CLOCK_MONOTONIC) > deadline_ns)
                fail("messages that nobody published came for %u s", options.timeout_s);
        } while (waiting > 64 || (is_last && (waiting > 0 || !is_quiet(nanoseconds(CLOCK_MONOTONIC)))));
    }
}

/* -- reading ----------------------------------------------------------------------------------------------------------------- */

/* A message for each line: some servers join what waits for a socket into one frame, with a newline between. */
static void take_text(unsigned number, const unsigned char *payload, size_t length, size_t header, uint64_t now_ns) {
    while (length > 0) {
        const unsigned char *newline = memchr(payload, '\n', length);
        size_t line = newline != NULL ? (size_t)(newline - payload) : length;
        size_t taken = newline != NULL ? line + 1 : line;
        if (is_stalled(number) && published > 0) /* no other count follows it */
            listeners[number].newest = mark_of(payload, line);
        else if (line > 0)
            count_message(number, payload, line, taken + header, now_ns);
        payload += taken;
        length -= taken;
        header = 0;
    }
}

static void take_frame(unsigned number, const unsigned char *frame, size_t header, size_t length, uint64_t now_ns) {
    const unsigned char *payload = frame + header;
    struct listener *listener = &listeners[number];
    if (frame[0] == TEXT || frame[0] == COMPRESSED)
        last_text_ns = now_ns;
    if (frame[0] == TEXT) {
        listener->said = true;
        take_text(number, payload, length, header, now_ns);
    } else if (frame[0] == COMPRESSED) {
        if (published > 0)
            count_compressed(number, header + length, now_ns);
        listener->said = true;
    } else if (frame[0] == PING && length <= 125) {
        unsigned char pong[6 + 125] = {PONG, (unsigned char)(0x80 | length)}; /* masked with zeros, which changes nothing */
        memcpy(pong + 6, payload, length);
        send_all(listener->fd, pong, 6 + length);
    } else if (frame[0] == CLOSE) {
        listener->closed = length >= 2 ? (unsigned)(payload[0] << 8 | payload[1]) : 1005;
        if (!is_stalled(number))
            fail("socket %u: the server closed it with %u", number + 1, listener->closed);
    } else if (frame[0] != PONG) {
        fail("socket %u: a frame that begins with 0x%02x", number + 1, frame[0]);
    }
}

/* Takes the whole frames of `bytes`, and keeps the rest. */
static void take_frames(unsigned number, const unsigned char *bytes, size_t have, uint64_t now_ns) {
    size_t done = 0;
    while (have - done >= 2) {
        const unsigned char *frame = bytes + done;
        size_t length = frame[1], header = length == 126 ? 4 : length == 127 ? 10 : 2;
        if (length > 127)
            fail("socket %u: a masked frame", number + 1);
        if (have - done < header)
            break;
        if (header > 2)
            length = 0;
        for (size_t place = 2; place < header; place++)
            length = length << 8 | frame[place];
        if (length > READ_BYTES - header)
            fail("socket %u: a frame of %zu bytes", number + 1, length);
        if (have - done < header + length)
            break;
        take_frame(number, frame, header, length, now_ns);
        done += header + length;
    }
    struct listener *listener = &listeners[number];
    if (listener->rest_bytes > 0 || have > done)
        keep_rest(listener, bytes + done, have - done);
}

bool take_what_came(unsigned number) {
    static unsigned char buffer[READ_BYTES];
    struct listener *listener = &listeners[number];
    size_t have = listener->rest_bytes;
    if (have > 0)
        memcpy(buffer, listener->rest, have);
    ssize_t count = recv(listener->fd, buffer + have, sizeof buffer - have, 0);
    if (count <= 0)
        return false;
    take_frames(number, buffer, have + (size_t)count, nanoseconds(CLOCK_MONOTONIC));
    return true;
}

void read_frames(unsigned number) {
    if (!take_what_came(number))
        fail("socket %u: the connection was lost after %" PRIu64 " deliveries in all", number + 1, deliveries.arrived);
}
