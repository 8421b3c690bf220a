#include "config.h"

#include "fake_http.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

#define CONNECTIONS_MAX 256u

struct connection {
    struct fake_http *server;
    pthread_t thread;
    int fd;
    unsigned number;
};

struct fake_http {
    fake_handler *handler;
    void *payload;
    int listener;
    unsigned port;
    pthread_t acceptor;
    pthread_mutex_t lock;
    struct connection connections[CONNECTIONS_MAX];
    unsigned connection_count;
    unsigned request_count;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct cs_view fake_header(const struct fake_request *request, const char *name)
{
    struct cs_view rest = request->head;
    struct cs_view line;

    while (cs_view_split(&rest, '\n', &line)) {
        size_t colon = cs_view_find_byte(line, ':');

        if (colon != SIZE_MAX &&
            cs_view_eq_nocase(cs_view_sub(line, 0, colon), cs_view_cstr(name)))
            return cs_view_trim(cs_view_from(line, colon + 1));
    }
    return cs_view_of(NULL, 0);
}

void fake_reply_with(struct fake_reply *reply, int status, const char *headers,
                     struct cs_view body)
{
    cs_buf_add_fmt(&reply->bytes, "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n%s\r\n",
                   status, body.len, headers);
    cs_buf_add(&reply->bytes, body);
}

/* Reads on until one whole request stands in `in`; 0 when the peer went away. */
static size_t read_request(int fd, struct cs_buf *in, struct fake_request *request)
{
    for (;;) {
        size_t end = cs_view_find(cs_buf_view(in), CS_LIT("\r\n\r\n"));
        uint64_t length = 0;
        ssize_t got;
        char *room;

        if (end != SIZE_MAX) {
            struct cs_view rest, line, announced;

            request->head = cs_view_sub(cs_buf_view(in), 0, end + 2);
            rest = request->head;
            must(cs_view_split(&rest, '\n', &line));
            must(cs_view_split(&line, ' ', &request->method));
            must(cs_view_split(&line, ' ', &request->target));
            announced = fake_header(request, "content-length");
            must(announced.ptr == NULL || cs_view_to_u64(announced, &length));
            if (in->len >= end + 4 + length) {
                request->body = cs_view_sub(cs_buf_view(in), end + 4, (size_t)length);
                return end + 4 + (size_t)length;
            }
        }
        room = cs_buf_room(in, 65536);
        must(room != NULL);
        got = read(fd, room, 65536);
        if (got <= 0)
            return 0;
        cs_buf_grew(in, (size_t)got);
    }
}

static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
}

static void hang(int fd)
{
    char byte;

    while (read(fd, &byte, 1) > 0)
        continue;
}

static bool answer(struct connection *c, struct cs_buf *in, struct fake_reply *reply)
{
    struct fake_request request = {.connection = c->number};
    size_t used = read_request(c->fd, in, &request);

    if (used == 0)
        return false;
    cs_buf_reset(&reply->bytes);
    reply->then = FAKE_KEEP;
    must(pthread_mutex_lock(&c->server->lock) == 0);
    request.number = ++c->server->request_count;
    c->server->handler(c->server->payload, &request, reply);
    must(pthread_mutex_unlock(&c->server->lock) == 0);
    must(cs_buf_check(&reply->bytes, NULL) == CS_OK);
    (void)cs_file_write_all(c->fd, cs_buf_view(&reply->bytes));
    memmove(in->ptr, in->ptr + used, in->len - used);
    cs_buf_truncate(in, in->len - used);
    return true;
}

static void *serve(void *payload)
{
    struct connection *c = payload;
    struct cs_buf in = CS_BUF_INIT(256u << 20);
    struct fake_reply reply = {.bytes = CS_BUF_INIT(256u << 20)};
    struct pollfd ready = {.fd = c->fd, .events = POLLIN};

    while (answer(c, &in, &reply) && reply.then == FAKE_KEEP)
        continue;
    if (reply.then == FAKE_HANG)
        hang(c->fd);
    if (reply.then == FAKE_DIE_ON_NEXT)
        must(poll(&ready, 1, -1) == 1);
    if (reply.then == FAKE_RESET || reply.then == FAKE_DIE_ON_NEXT)
        reset(c->fd);
    cs_buf_clear(&in);
    cs_buf_clear(&reply.bytes);
    must(pthread_mutex_lock(&c->server->lock) == 0);
    (void)close(c->fd);
    c->fd = -1;
    must(pthread_mutex_unlock(&c->server->lock) == 0);
    return NULL;
}

static void *accept_all(void *payload)
{
    struct fake_http *server = payload;

    for (;;) {
        int fd = accept(server->listener, NULL, NULL);
        struct connection *c;

        if (fd < 0)
            return NULL;
        must(pthread_mutex_lock(&server->lock) == 0);
        must(server->connection_count < CONNECTIONS_MAX);
        c = &server->connections[server->connection_count++];
        *c = (struct connection){
            .server = server, .fd = fd, .number = server->connection_count};
        must(pthread_create(&c->thread, NULL, serve, c) == 0);
        must(pthread_mutex_unlock(&server->lock) == 0);
    }
}

struct fake_http *fake_http_new(fake_handler *handler, void *payload)
{
    struct fake_http *server = calloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);

    must(server != NULL);
    server->handler = handler;
    server->payload = payload;
    must(pthread_mutex_init(&server->lock, NULL) == 0);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(server->listener >= 0);
    must(bind(server->listener, (struct sockaddr *)&address, length) == 0);
    must(listen(server->listener, 64) == 0);
    must(getsockname(server->listener, (struct sockaddr *)&address, &length) == 0);
    server->port = ntohs(address.sin_port);
    must(pthread_create(&server->acceptor, NULL, accept_all, server) == 0);
    return server;
}

void fake_http_free(struct fake_http *server)
{
    (void)shutdown(server->listener, SHUT_RDWR);
    must(pthread_join(server->acceptor, NULL) == 0);
    (void)close(server->listener);
    must(pthread_mutex_lock(&server->lock) == 0);
    for (unsigned i = 0; i < server->connection_count; i++)
        if (server->connections[i].fd >= 0)
            (void)shutdown(server->connections[i].fd, SHUT_RDWR);
    must(pthread_mutex_unlock(&server->lock) == 0);
    for (unsigned i = 0; i < server->connection_count; i++)
        must(pthread_join(server->connections[i].thread, NULL) == 0);
    must(pthread_mutex_destroy(&server->lock) == 0);
    free(server);
}

unsigned fake_http_port(const struct fake_http *server)
{
    return server->port;
}

unsigned fake_http_connections(struct fake_http *server)
{
    unsigned count;

    must(pthread_mutex_lock(&server->lock) == 0);
    count = server->connection_count;
    must(pthread_mutex_unlock(&server->lock) == 0);
    return count;
}

unsigned fake_http_requests(struct fake_http *server)
{
    unsigned count;

    must(pthread_mutex_lock(&server->lock) == 0);
    count = server->request_count;
    must(pthread_mutex_unlock(&server->lock) == 0);
    return count;
}
