/* The load of WebSockets, in three parts: who listens, who publishes, and what was delivered. */
#ifndef WSLOAD_H
#define WSLOAD_H

#include "load.h"

enum {
    READ_BYTES = 1 << 18,      /* at most read at once from one socket, with what was left of the last read */
    QUIET_MS = 400,            /* so long no message has come: what was said before has had its effect */
    MAX_MESSAGE_BYTES = 60000, /* longest message that --bytes can ask for */
};

/* What the command line says; main.c holds it and says what each is. */
extern struct options {
    struct dialling server;
    unsigned second_port, sockets, in_flight, hearers, groups, stalled, stalled_bytes, stalled_segment, talkers;
    unsigned broadcasts, publishers, bytes, warmup, rate, timeout_s, process;
    bool browser, hold, one_by_one;
    const char *tokens, *says, *audience, *swap, *bodies, *path, *room;
} options;

extern int poller;

/* -- listeners.c: N sockets ---------------------------------------------------------------------------------------------------- */

struct listener {
    int fd;
    unsigned char *rest; /* the beginning of a frame whose end has not come yet */
    size_t rest_bytes;
    long newest;         /* sequence number of the newest update; of a stalled one */
    unsigned closed;     /* the code that the server closed it with, or 0 */
    bool said;           /* it heard something */
};

extern struct listener *listeners;
extern uint64_t last_text_ns; /* when a message came last, to anybody; pings to thousands never end */

struct opening {
    double seconds;           /* from the first connect() to the last 101 */
    uint32_t *handshakes_us;  /* of each socket, sorted */
};

struct opening open_listeners(void);
void greet(void);                    /* each hearer says --says, and hears something; then it is quiet for a while */
bool take_what_came(unsigned number); /* for a listener; returns whether its connection still stands */
void read_frames(unsigned number);    /* the same, and it must stand */
bool is_stalled(unsigned number);

/* -- stalled.c: sockets that do not read until the end ------------------------------------------------------------------------- */

struct waking {
    unsigned newest, slow, lost, old; /* got their newest update; were closed with 1013; were cut; anything else */
};

struct waking wake_stalled(void);    /* the stalled ones read again, until nothing comes any more */

/* -- publishers.c: J HTTP connections that publish ----------------------------------------------------------------------------- */

extern unsigned published; /* broadcasts sent; the next sequence number */
extern unsigned answered;  /* broadcasts answered */

void prepare_publishers(unsigned all);
void publish_until(unsigned until);          /* all publishers begin; they go on by themselves with each answer */
void publish_what_is_due(uint64_t now_ns);   /* with --rate and --one-by-one */
void read_publisher(unsigned place);
void read_reply(unsigned number, const unsigned char *message, size_t length); /* a message to a socket that nobody published */
uint64_t sent_at_ns(unsigned sequence);
void set_padding(unsigned bytes);

/* -- deliveries.c: what arrived ------------------------------------------------------------------------------------------------ */

extern struct deliveries {
    uint64_t arrived, measured;     /* of all phases; of the measured one */
    uint64_t wire_bytes;            /* of measured frames, headers included */
    uint64_t last_arrival_ns;       /* when the newest was read */
    uint64_t others;                /* messages that nobody published: answers, activity */
    size_t message_bytes;           /* of the newest message */
    uint32_t *latencies_us;         /* of measured deliveries: from sending the POST */
    uint32_t *completions_us;       /* of measured broadcasts: until its last delivery */
} deliveries;

void prepare_deliveries(unsigned first_measured, unsigned all);
void count_message(unsigned number, const unsigned char *message, size_t length, size_t frame_bytes, uint64_t now_ns);
void count_compressed(unsigned number, size_t frame_bytes, uint64_t now_ns);
uint64_t wanted_until(unsigned until); /* deliveries of the broadcasts before `until` */
bool all_arrived(unsigned sequence);
long mark_of(const unsigned char *message, size_t length); /* its sequence number, or -1 */

#endif
