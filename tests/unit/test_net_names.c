#include "config.h"

#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "fake_http.h"
#include "net/client.h"

/* In place of the C library's: libcurl asks here, in a thread of its own. It knows one
 * name more than others do, and one that it is long in looking for. */
static atomic_uint names_asked;
static atomic_uint searches_over;
static sem_t end_search;

static int search_long(void)
{
    struct timespec until = {.tv_sec = cs_clock_now_us() / CS_SECOND_US + 20};

    while (sem_timedwait(&end_search, &until) != 0 && errno == EINTR)
        continue;
    atomic_fetch_add(&searches_over, 1);
    return EAI_AGAIN;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    int (*next)(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out);

    if (name != NULL && strcmp(name, "long.test") == 0)
        return search_long();
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    if (name == NULL || strcmp(name, "kept.test") != 0)
        return next(name, service, hints, out);
    atomic_fetch_add(&names_asked, 1);
    return next("127.0.0.1", service, hints, out);
}

static void closes(void *payload, const struct fake_request *request,
                   struct fake_reply *reply)
{
    (void)payload;
    fake_reply_with(reply, 200, "", request->target);
    reply->then = FAKE_CLOSE;
}

static void test_names_are_kept(void **state)
{
    struct fake_http *server = fake_http_new(closes, NULL);
    struct cs_net_client *client = cs_net_client_new(&(struct cs_net_options){0}, NULL);
    struct cs_net_response response;
    char url[64];

    (void)state;
    assert_non_null(client);
    cs_net_response_init(&response, 1024);
    (void)snprintf(url, sizeof(url), "http://kept.test:%u/", fake_http_port(server));
    for (unsigned i = 1; i <= 20; i++) {
        struct cs_net_call call = {
            .request = {.url = url, .deadline = cs_deadline_in_ms(60000)},
            .response = &response,
            .small = i > 10,
        };

        cs_net_perform_many(client, &call, 1, 1);
        assert_int_equal(call.code, CS_OK);
        assert_int_equal(response.status, 200);
        assert_int_equal(fake_http_connections(server), i);
    }
    assert_int_equal(atomic_load(&names_asked), 1);
    cs_net_response_clear(&response);
    cs_net_client_free(client);
    fake_http_free(server);
}

/* Nobody waits for an answer of the name servers that comes behind the deadline. */
static void test_a_search_does_not_outlive_the_deadline(void **state)
{
    struct cs_net_client *client = cs_net_client_new(&(struct cs_net_options){0}, NULL);
    struct cs_net_response response;
    int64_t end_us;

    (void)state;
    assert_non_null(client);
    assert_int_equal(sem_init(&end_search, 0, 0), 0);
    cs_net_response_init(&response, 1024);
    for (unsigned i = 0; i < 2; i++) {
        struct cs_net_call call = {
            .request = {.url = "http://long.test/", .deadline = cs_deadline_in_ms(200)},
            .response = &response,
            .small = i == 1,
        };

        cs_net_perform_many(client, &call, 1, 1);
        assert_int_equal(call.code, CS_ETIMEOUT);
        assert_int_equal(response.fault, CS_NET_DEADLINE);
        assert_int_equal(atomic_load(&searches_over), 0);
    }
    cs_net_response_clear(&response);
    cs_net_client_free(client);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sem_post(&end_search), 0);
    end_us = cs_clock_monotonic_us() + 20 * CS_SECOND_US;
    while (atomic_load(&searches_over) < 2 && cs_clock_monotonic_us() < end_us)
        (void)poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&searches_over), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_kept),
        cmocka_unit_test(test_a_search_does_not_outlive_the_deadline),
    };

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
