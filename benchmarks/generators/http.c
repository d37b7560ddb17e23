#define _GNU_SOURCE
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int read_answer(int fd, struct answer *answer) {
    ssize_t count = recv(fd, answer->bytes + answer->have, ANSWER_BYTES - 1 - answer->have, 0);
    if (count == 0 && answer->have == 0)
        return CLOSED;
    if (count <= 0)
        fail("an HTTP connection was cut, or its answer is longer than %d bytes", ANSWER_BYTES - 1);
    answer->have += (size_t)count;
    answer->bytes[answer->have] = '\0';
    const char *body = strstr(answer->bytes, "\r\n\r\n");
    if (body == NULL)
        return UNFINISHED; /* the rest of its head will come */
    body += 4;
    const char *length = strcasestr(answer->bytes, "\r\nContent-Length:");
    if (length == NULL || length > body)
        fail("an answer does not announce its length: %s", answer->bytes);
    if (strtoul(length + 17, NULL, 10) > answer->have - (size_t)(body - answer->bytes))
        return UNFINISHED;
    answer->have = 0;
    return atoi(answer->bytes + sizeof "HTTP/1.1");
}
