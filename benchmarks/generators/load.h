/* What both loads share: options, clocks, connections, HTTP answers. A failure ends the program: all or nothing is measured. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
    EVENTS = 256,                /* events taken from the kernel at once */
    ANSWER_BYTES = 1 << 14,      /* longest HTTP answer */
    MAX_KEY_CHARS = 2000,
    SOCKETS_PER_ADDRESS = 20000, /* one loopback address has some 28,000 ports to connect from */
    CONNECT_TIMEOUT_S = 20,
};

/* -- common.c: ends, memory, time ------------------------------------------------------------------------------------------ */

extern const char *program; /* the name that errors begin with */

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
void *allocate(size_t count, size_t size);
uint64_t nanoseconds(clockid_t clock);
double server_cpu_s(unsigned process);                /* user and system time of another process so far */
double percentile_ms(uint32_t *us, uint64_t count, unsigned percent); /* nearest rank; `us` must be sorted */
void sort_us(uint32_t *us, uint64_t count);

/* -- options.c ------------------------------------------------------------------------------------------------------------- */

struct choice {
    const char *name;
    unsigned *number;  /* a number from 0 to 100,000,000 is wanted */
    const char **text; /* or a text */
    bool *flag;        /* or nothing: its presence says it */
};

void read_choices(int count, char **words, const struct choice *choices, size_t length);
const char *api_key(void); /* of WSX_ADMIN_KEY; NULL without one */
char *read_whole_file(const char *path);

/* -- dial.c ---------------------------------------------------------------------------------------------------------------- */

struct dialling {
    unsigned port;
    unsigned segment_bytes; /* largest TCP segment; 0: the system's. On loopback it decides how much a sender buffers */
    unsigned receive_bytes; /* of the kernel's receive buffer; 0: the system's */
};

int dial(const struct dialling *how, unsigned number); /* connection `number`: from 127.0.0.1, then 127.0.0.2, … */
void watch(int poller, int fd, unsigned number);
void send_all(int fd, const void *bytes, size_t length);

/* -- http.c ---------------------------------------------------------------------------------------------------------------- */

struct answer {
    char bytes[ANSWER_BYTES];
    size_t have;
};

enum { UNFINISHED = 0, CLOSED = -1 };

int read_answer(int fd, struct answer *answer); /* the status of a whole answer, or UNFINISHED or CLOSED */

#endif
