#define _GNU_SOURCE
#include "wsload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* `beforeend` and not `innerHTML`: of several updates that replace the same content a server may rightly send only the newest. */
static const char BODY[] = "{\"audience\":%s,\"target\":\"#x%u\",\"html\":\"<p>seq=%08u %.*s</p>%s\",\"swap\":\"%s\"}";
static const char POST[] =
    "POST %s HTTP/1.1\r\n"
    "Host: 127.0.0.1:%u\r\n"
    "Authorization: Bearer %s\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: %d\r\n\r\n%s";
static const char TALK[] =
    "{\"id\":\"t\",\"handler\":\"send-message\",\"target\":\"#x\",\"data\":{\"roomId\":\"%s\",\"message\":\"seq=%08u %.*s\"}}";
static const char DONE[] = "#message-input"; /* in the answer to it */
static const char GROUP[] = "GROUP"; /* in --audience: the number of the group that is its turn */

struct publisher {
    int fd;
    bool waiting; /* for its answer */
    struct answer answer;
};

unsigned published, answered;

static struct publisher *publishers;
static uint64_t *sent_ns; /* when each broadcast was sent, or should have been, by sequence number */
static unsigned until;    /* broadcasts that this phase may send */
static uint64_t began_ns; /* when this phase began, and how far it was */
static unsigned began_at;
static char padding[MAX_MESSAGE_BYTES];
static unsigned padding_bytes;
static char *bodies[256]; /* further HTML, one after another; JSON text without its quotes */
static unsigned bodies_count;

static void read_bodies(void) {
    bodies[0] = "";
    bodies_count = 1;
    if (options.bodies == NULL)
        return;
    bodies_count = 0;
    for (char *line = strtok(read_whole_file(options.bodies), "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (bodies_count == sizeof bodies / sizeof *bodies || strlen(line) > MAX_MESSAGE_BYTES)
            fail("%s: too many lines, or one too long", options.bodies);
        bodies[bodies_count++] = line;
    }
}

static void open_publisher(unsigned place) {
    const struct dialling how = {.port = options.server.port};
    publishers[place].fd = dial(&how, options.sockets + place);
    watch(poller, publishers[place].fd, options.sockets + place);
}

void prepare_publishers(unsigned all) {
    memset(padding, 'x', sizeof padding);
    read_bodies();
    sent_ns = allocate(all, sizeof *sent_ns);
    publishers = allocate(options.publishers, sizeof *publishers);
    if (options.talkers > 0)
        return;
    for (unsigned place = 0; place < options.publishers; place++)
        open_publisher(place);
}

void set_padding(unsigned bytes) {
    padding_bytes = bytes;
}

uint64_t sent_at_ns(unsigned sequence) {
    return sent_ns[sequence];
}

/* The audience of a broadcast: --audience with the group's number in the place of GROUP. */
static const char *audience_of(unsigned sequence) {
    static char text[4096];
    const char *place = strstr(options.audience, GROUP);
    if (place == NULL)
        return options.audience;
    snprintf(text, sizeof text, "%.*s%u%s", (int)(place - options.audience), options.audience, sequence % options.groups,
             place + sizeof GROUP - 1);
    return text;
}

/* The swaps of --swap, one after another. */
static const char *swap_of(unsigned sequence) {
    static char text[64];
    unsigned count = 1;
    for (const char *comma = options.swap; (comma = strchr(comma, ',')) != NULL; comma++)
        count++;
    const char *begin = options.swap;
    for (unsigned place = sequence % count; place > 0; place--)
        begin = strchr(begin, ',') + 1;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(begin, ","), begin);
    return text;
}

/* Masked with zeros, which changes nothing. */
static void talk(unsigned place) {
    static char frame[8 + MAX_MESSAGE_BYTES + 1024];
    int bytes = snprintf(frame + 8, sizeof frame - 8, TALK, options.room, published, (int)padding_bytes, padding);
    if (bytes > 65535)
        fail("--bytes: longer than one frame that a talker sends");
    unsigned char head[8] = {0x81, 0x80 | 126, (unsigned char)(bytes >> 8), (unsigned char)bytes};
    memcpy(frame, head, sizeof head);
    send_all(listeners[place].fd, frame, 8 + (size_t)bytes);
}

static void publish(unsigned place, uint64_t at_ns) {
    static char body[2 * MAX_MESSAGE_BYTES + 8192], request[2 * MAX_MESSAGE_BYTES + 16384];
    struct publisher *publisher = &publishers[place];
    publisher->waiting = true;
    if (options.talkers > 0) {
        talk(place);
        sent_ns[published++] = at_ns;
        return;
    }
    const char *key = api_key(), *html = bodies[published % bodies_count];
    int body_bytes = snprintf(body, sizeof body, BODY, audience_of(published), published % options.groups, published,
                              (int)padding_bytes, padding, html, swap_of(published));
    int request_bytes =
        snprintf(request, sizeof request, POST, options.path, options.server.port, key ? key : "", body_bytes, body);
    if (publisher->fd < 0)
        open_publisher(place);
    sent_ns[published++] = at_ns;
    send_all(publisher->fd, request, (size_t)request_bytes);
}

void publish_until(unsigned wanted) {
    until = wanted;
    began_at = published;
    began_ns = nanoseconds(CLOCK_MONOTONIC);
    for (unsigned place = 0; options.rate == 0 && place < options.publishers && published < until; place++)
        if (!options.one_by_one || published == began_at)
            publish(place, nanoseconds(CLOCK_MONOTONIC));
}

/* With --rate a broadcast has its time, and who is late counts as slow: its latency begins when it should have been sent. */
static void keep_rate(uint64_t now_ns) {
    for (unsigned place = 0; place < options.publishers && published < until; place++) {
        uint64_t due_ns = began_ns + (uint64_t)(published - began_at) * UINT64_C(1000000000) / options.rate;
        if (due_ns > now_ns)
            return;
        if (!publishers[place].waiting)
            publish(place, due_ns);
    }
}

void publish_what_is_due(uint64_t now_ns) {
    if (options.rate > 0)
        keep_rate(now_ns);
    else if (options.one_by_one && published < until && answered == published && all_arrived(published - 1))
        publish(0, now_ns);
}

static void go_on(unsigned place) {
    publishers[place].waiting = false;
    answered++;
    if (options.rate == 0 && !options.one_by_one && published < until)
        publish(place, nanoseconds(CLOCK_MONOTONIC));
}

void read_publisher(unsigned place) {
    struct publisher *publisher = &publishers[place];
    int status = read_answer(publisher->fd, &publisher->answer);
    if (status == UNFINISHED)
        return;
    if (status == CLOSED) { /* servers close HTTP connections that were idle for some seconds */
        if (publisher->waiting)
            fail("a publisher's connection was closed before its answer");
        close(publisher->fd);
        publisher->fd = -1;
        return;
    }
    if (status != 202)
        fail("a broadcast was refused: %s", publisher->answer.bytes);
    go_on(place);
}

void read_reply(unsigned number, const unsigned char *message, size_t length) {
    if (number >= options.talkers || publishers == NULL || !publishers[number].waiting)
        return;
    if (memmem(message, length, DONE, sizeof DONE - 1) == NULL)
        fail("what a talker said was refused: %.*s", (int)length, message);
    go_on(number);
}
