#define _GNU_SOURCE
#include "wsload.h"

#include <stdlib.h>
#include <string.h>

struct deliveries deliveries;

static const char MARK[] = "seq=";
static unsigned first_measured;
static uint8_t *seen;    /* one bit for each socket and sequence number: arrived */
static unsigned *heard;  /* how many sockets each broadcast has reached */
static unsigned *next;   /* the broadcast that each socket should hear next */
static unsigned *groups; /* hearers of each group that do not stall */

void prepare_deliveries(unsigned first, unsigned all) {
    first_measured = first;
    seen = allocate((uint64_t)all * options.sockets / 8 + 1, 1);
    heard = allocate(all, sizeof *heard);
    next = allocate(options.sockets, sizeof *next);
    for (unsigned number = 0; number < options.sockets; number++)
        next[number] = number % options.groups;
    groups = allocate(options.groups, sizeof *groups);
    for (unsigned number = 0; number < options.hearers; number++)
        groups[number % options.groups] += !is_stalled(number);
    deliveries.latencies_us = allocate(wanted_until(all) - wanted_until(first), sizeof *deliveries.latencies_us);
    deliveries.completions_us = allocate(options.broadcasts, sizeof *deliveries.completions_us);
}

uint64_t wanted_until(unsigned until) {
    uint64_t wanted = 0;
    for (unsigned sequence = 0; sequence < until; sequence++)
        wanted += groups[sequence % options.groups];
    return wanted;
}

bool all_arrived(unsigned sequence) {
    return heard[sequence] == groups[sequence % options.groups];
}

long mark_of(const unsigned char *message, size_t length) {
    const char *mark = memmem(message, length, MARK, sizeof MARK - 1);
    return mark == NULL ? -1 : (long)strtoul(mark + sizeof MARK - 1, NULL, 10);
}

static void count(unsigned number, unsigned sequence, size_t frame_bytes, uint64_t now_ns) {
    if (sequence >= published)
        fail("socket %u: broadcast %u was not published yet", number + 1, sequence);
    if (number >= options.hearers || number % options.groups != sequence % options.groups)
        fail("socket %u: broadcast %u was not for it", number + 1, sequence);
    uint64_t bit = (uint64_t)sequence * options.sockets + number;
    if (seen[bit / 8] & 1u << bit % 8)
        fail("socket %u: broadcast %u came twice", number + 1, sequence);
    seen[bit / 8] |= (uint8_t)(1u << bit % 8);
    next[number] = sequence + options.groups;
    heard[sequence]++;
    deliveries.arrived++;
    deliveries.last_arrival_ns = now_ns;
    if (sequence < first_measured)
        return;
    uint32_t latency_us = (uint32_t)((now_ns - sent_at_ns(sequence)) / 1000);
    deliveries.latencies_us[deliveries.measured++] = latency_us;
    deliveries.wire_bytes += frame_bytes;
    if (all_arrived(sequence))
        deliveries.completions_us[sequence - first_measured] = latency_us;
}

/* `frame_bytes`: what this message took on the wire, its part of a frame's header included. */
void count_message(unsigned number, const unsigned char *message, size_t length, size_t frame_bytes, uint64_t now_ns) {
    long sequence = mark_of(message, length);
    if (sequence < 0) {
        deliveries.others++;
        read_reply(number, message, length);
        return;
    }
    if (sequence > 0 && options.bytes > 0 && options.talkers == 0 && length != options.bytes) /* names of talkers differ in length */
        fail("socket %u: a message of %zu bytes, not %u", number + 1, length, options.bytes);
    deliveries.message_bytes = length;
    count(number, (unsigned)sequence, frame_bytes, now_ns);
}

/* A compressed message is not read: it is the next one of its socket, as one publisher's order is kept, and that of a slow rate. */
void count_compressed(unsigned number, size_t frame_bytes, uint64_t now_ns) {
    if (options.publishers > 1 && options.rate == 0)
        fail("socket %u: a compressed message, whose place is unknown where several publish at once", number + 1);
    deliveries.message_bytes = frame_bytes;
    count(number, next[number], frame_bytes, now_ns);
}
