/*
 * The floor of fan-out: what the kernel alone costs when one process on one core writes the same message to N sockets.
 *
 *     floor            listens on a free port of 127.0.0.1, prints "port NUMBER", serves one load and ends with it
 *
 * It answers a WebSocket handshake with a ready text. For a POST it takes the HTML out of the JSON body, makes one frame, hands
 * that frame to each socket with one send(), and then answers 202. It checks no key, no JSON, no audience; it keeps no journal, no
 * queue and no statistics. No server that makes one system call for each delivery can be faster.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,           /* connections that wait to be accepted; as many as the product asks for */
    EVENTS = 256,             /* events taken from the kernel at once */
    REQUEST_BYTES = 1 << 18,  /* longest request, head and body */
    MESSAGE_BYTES = 1 << 16,  /* longest message: two bytes of RFC 6455 hold its length */
    HEADER_BYTES = 4,         /* longest frame header of such a message */
};

/* The load always offers the key of RFC 6455, 1.3, so the answer to it is known. */
static const char UPGRADED[] =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char ACCEPTED[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
/* As the product's, with an id of as many digits. */
static const char MESSAGE[] = "{\"id\":\"%032d\",\"target\":\"#x\",\"html\":\"%.*s\",\"swap\":\"beforeend\"}";
static const char HTML_BEGINS[] = "\"html\":\"";

static int *audience; /* the sockets whose handshake was answered */
static size_t audience_size;
static size_t audience_room;

__attribute__((noreturn)) static void fail(const char *what) {
    fprintf(stderr, "floor: %s\n", what);
    exit(1);
}

__attribute__((noreturn)) static void fail_call(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_all(int fd, const void *bytes, size_t length) {
    if (send(fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        fail_call("a socket did not take what was sent");
}

/* Makes the frame that every socket gets, in the product's form and length. Returns its bytes; `frame` is where it begins. */
static size_t make_frame(const char *html, int html_length, unsigned char **frame) {
    static unsigned char buffer[HEADER_BYTES + MESSAGE_BYTES];
    unsigned char *message = buffer + HEADER_BYTES;
    int length = snprintf((char *)message, MESSAGE_BYTES, MESSAGE, 0, html_length, html);
    if (length >= MESSAGE_BYTES)
        fail("the HTML is too long");
    size_t header = length < 126 ? 2 : HEADER_BYTES;
    *frame = message - header;
    (*frame)[0] = 0x81; /* a whole text message */
    (*frame)[1] = header == 2 ? (unsigned char)length : 126;
    if (header == HEADER_BYTES) {
        (*frame)[2] = (unsigned char)(length >> 8);
        (*frame)[3] = (unsigned char)length;
    }
    return header + (size_t)length;
}

static void broadcast(const char *body) {
    const char *html = strstr(body, HTML_BEGINS);
    if (html == NULL)
        fail("a POST without HTML");
    html += sizeof HTML_BEGINS - 1;
    const char *end = strchr(html, '"');
    if (end == NULL)
        fail("the HTML of a POST has no end");
    unsigned char *frame;
    size_t length = make_frame(html, (int)(end - html), &frame);
    for (size_t place = 0; place < audience_size; place++)
        send_all(audience[place], frame, length);
}

static void join_audience(int fd) {
    if (audience_size == audience_room) {
        audience_room = audience_room ? 2 * audience_room : 1024;
        audience = realloc(audience, audience_room * sizeof *audience);
        if (audience == NULL)
            fail("no memory");
    }
    audience[audience_size++] = fd;
    send_all(fd, UPGRADED, sizeof UPGRADED - 1);
}

/* Reads until the text ends with a blank line and, after it, the body that the head announces. Returns where the body begins. */
static const char *read_request(int fd, char *request) {
    size_t length = 0;
    for (;;) {
        ssize_t count = read(fd, request + length, REQUEST_BYTES - 1 - length);
        if (count == 0 && length == 0)
            exit(0); /* the load has gone */
        if (count <= 0)
            fail("a request was cut short or is too long");
        length += (size_t)count;
        request[length] = '\0';
        const char *body = strstr(request, "\r\n\r\n");
        if (body == NULL)
            continue;
        body += 4;
        const char *announced = strcasestr(request, "\r\nContent-Length:");
        size_t body_length = announced != NULL && announced < body ? strtoul(announced + 17, NULL, 10) : 0;
        if (length >= (size_t)(body - request) + body_length)
            return body;
    }
}

static void serve_request(int fd) {
    static char request[REQUEST_BYTES];
    const char *body = read_request(fd, request);
    if (strncmp(request, "GET ", 4) == 0) {
        join_audience(fd);
    } else if (strncmp(request, "POST ", 5) == 0) {
        broadcast(body);
        send_all(fd, ACCEPTED, sizeof ACCEPTED - 1);
    } else {
        fail("neither GET nor POST");
    }
}

static void watch(int poller, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
        fail_call("epoll_ctl");
}

static void accept_one(int poller, int listener) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        fail_call("accept");
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(poller, fd);
}

static int listen_on_free_port(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, BACKLOG) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        fail_call("cannot listen on 127.0.0.1");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    int listener = listen_on_free_port();
    int poller = epoll_create1(0);
    if (poller < 0)
        fail_call("epoll_create1");
    watch(poller, listener);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int place = 0; place < count; place++) {
            if (events[place].data.fd == listener)
                accept_one(poller, listener);
            else
                serve_request(events[place].data.fd);
        }
    }
}
