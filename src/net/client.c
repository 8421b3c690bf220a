#include "config.h"

#include "net/client.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/fault.h"
#include "net/handle.h"
#include "net/response.h"
#include "net/transfer.h"
#include "net/wire.h"

#define TRANSFERS_MAX 32u
#define WAIT_MAX_MS   1000 /* the timers of our own are looked at this often at least */
/* A held body has no deadline, as it goes at its reader's pace; what it is waited for in
 * all, a byte may take so long, and the idle limit once. */
#define SLOWEST_BYTE_US 1000

struct cs_net_client {
    pid_t owner; /* a child after fork may not go on with its parent's connections */
    struct cs_net_options options;
    char *texts[4];           /* what options point to */
    CURLM *multi;             /* keeps connections and names */
    CURLSH *share;            /* keeps TLS sessions and names for the wire as well */
    struct cs_net_wire *wire; /* for small calls */
    struct cs_net_transfer *pool[TRANSFERS_MAX];
    struct cs_net_counts counts;
};

static bool copy_text(const char **out, char **keep, const char *text)
{
    *out = NULL;
    if (text == NULL || text[0] == '\0')
        return true;
    *keep = cs_view_dup(cs_view_cstr(text));
    *out = *keep;
    return *keep != NULL;
}

static bool copy_options(struct cs_net_client *client, const struct cs_net_options *given)
{
    struct cs_net_options *own = &client->options;

    *own = *given;
    if (own->connect_timeout_ms <= 0)
        own->connect_timeout_ms = 3000;
    if (own->idle_timeout_ms <= 0)
        own->idle_timeout_ms = 10000;
    if (own->keep_connections == 0)
        own->keep_connections = 16;
    return copy_text(&own->ca_bundle, &client->texts[0], given->ca_bundle) &&
           copy_text(&own->proxy, &client->texts[1], given->proxy) &&
           copy_text(&own->no_proxy, &client->texts[2], given->no_proxy) &&
           copy_text(&own->user_agent, &client->texts[3],
                     given->user_agent != NULL ? given->user_agent : PACKAGE_NAME);
}

static bool start_curl(struct cs_net_client *client)
{
    client->multi = curl_multi_init();
    client->share = curl_share_init();
    return client->multi != NULL && client->share != NULL &&
           curl_share_setopt(client->share, CURLSHOPT_SHARE,
                             CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK &&
           curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) ==
               CURLSHE_OK &&
           (client->wire = cs_net_wire_new(&client->options, client->share)) != NULL &&
           curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS,
                             (long)client->options.keep_connections) == CURLM_OK;
}

struct cs_net_client *cs_net_client_new(const struct cs_net_options *options,
                                        struct cs_err *err)
{
    struct cs_net_client *client;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)cs_err_set(err, CS_EINTERNAL, "libcurl does not start");
        return NULL;
    }
    client = calloc(1, sizeof(*client));
    if (client != NULL)
        client->owner = getpid();
    if (client == NULL || !copy_options(client, options) || !start_curl(client)) {
        (void)cs_err_nomem(err);
        if (client != NULL)
            cs_net_client_free(client);
        else
            curl_global_cleanup();
        return NULL;
    }
    return client;
}

void cs_net_client_free(struct cs_net_client *client)
{
    if (client == NULL)
        return;
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct cs_net_transfer *t = client->pool[i];

        if (t != NULL && t->state != CS_NET_FREE) {
            (void)curl_multi_remove_handle(client->multi, t->easy);
            if (t->response != NULL)
                t->response->held = NULL;
        }
        cs_net_transfer_free(t);
    }
    cs_net_wire_free(client->wire);
    if (client->multi != NULL)
        (void)curl_multi_cleanup(client->multi);
    if (client->share != NULL)
        (void)curl_share_cleanup(client->share);
    for (size_t i = 0; i < CS_COUNT(client->texts); i++)
        free(client->texts[i]);
    free(client);
    curl_global_cleanup();
}

struct cs_net_counts cs_net_client_counts(const struct cs_net_client *client)
{
    return client->counts;
}

/* ---- transfers ---- */

static struct cs_net_transfer *borrow_transfer(struct cs_net_client *client,
                                               struct cs_err *err)
{
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct cs_net_transfer **slot = &client->pool[i];

        if (*slot == NULL)
            *slot = cs_net_transfer_new(client, &client->options, client->share);
        if (*slot == NULL) {
            (void)cs_err_nomem(err);
            return NULL;
        }
        if ((*slot)->state == CS_NET_FREE)
            return *slot;
    }
    (void)cs_err_set(err, CS_EBUSY, "%u exchanges are open already", TRANSFERS_MAX);
    return NULL;
}

/* A handle that met a fault is thrown away: what it remembers of the broken
 * exchange must not reach the next one. */
static void give_back(struct cs_net_transfer *t)
{
    struct cs_net_client *client = t->client;
    bool sound = t->result == CURLE_OK && t->fault == CS_NET_OK && t->local == CS_OK;

    (void)curl_multi_remove_handle(client->multi, t->easy);
    t->state = CS_NET_FREE;
    t->request = NULL;
    t->response = NULL;
    if (sound)
        return;
    for (size_t i = 0; i < TRANSFERS_MAX; i++)
        if (client->pool[i] == t)
            client->pool[i] = NULL;
    cs_net_transfer_free(t);
}

static void collect_ended(struct cs_net_client *client)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct cs_net_transfer *t = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t) !=
                CURLE_OK ||
            t == NULL)
            continue;
        t->result = message->data.result;
        t->state = CS_NET_DONE;
    }
}

/* Moves every open exchange on as far as it goes without waiting. */
static enum cs_code move_on(struct cs_net_client *client, struct cs_err *err)
{
    int running;
    CURLMcode code = curl_multi_perform(client->multi, &running);

    if (code != CURLM_OK)
        return cs_err_set(err, code == CURLM_OUT_OF_MEMORY ? CS_ENOMEM : CS_EINTERNAL,
                          "libcurl: %s", curl_multi_strerror(code));
    collect_ended(client);
    return CS_OK;
}

static void wait_for_bytes(struct cs_net_client *client, int wait_ms)
{
    /* An error here shows in the next move_on(). */
    (void)curl_multi_poll(client->multi, NULL, 0, wait_ms, NULL);
}

static bool is_over(const struct cs_net_transfer *t)
{
    return t->state == CS_NET_DONE || t->state == CS_NET_HEADED || t->fault != CS_NET_OK;
}

/* ---- calls ---- */

static void end_call(struct cs_net_call *call, enum cs_code code)
{
    call->code = code;
    call->ended = call->again == NULL || !call->again(call);
    if (!call->ended) {
        call->code = CS_OK;
        call->err = CS_ERR_NONE;
    }
}

static enum cs_code launch(struct cs_net_client *client, struct cs_net_call *call,
                           bool fresh)
{
    enum cs_code rc;

    call->transfer = borrow_transfer(client, &call->err);
    if (call->transfer == NULL)
        return call->err.code;
    rc = cs_net_transfer_ready(call->transfer, &call->request, call->response,
                               &client->options, fresh, &call->err);
    if (rc == CS_OK &&
        curl_multi_add_handle(client->multi, call->transfer->easy) != CURLM_OK)
        rc = cs_err_nomem(&call->err);
    if (rc != CS_OK) {
        call->transfer->local = rc;
        give_back(call->transfer);
        call->transfer = NULL;
        return rc;
    }
    client->counts.requests++;
    call->response->tries++;
    return CS_OK;
}

/* Nothing was sent: there is no outcome to judge, and no second start. */
static void never_started(struct cs_net_call *call, enum cs_code code)
{
    enum cs_net_fault fault = call->response->fault;

    cs_net_response_empty(call->response); /* of the answer to another request */
    call->response->fault = fault;
    call->code = code;
    call->ended = true;
}

/* What is too late to be answered is not asked: it might be done all the same. */
static enum cs_code check_time(struct cs_net_call *call)
{
    if (call->request.deadline.at_us > cs_clock_monotonic_us())
        return CS_OK;
    call->response->fault = CS_NET_DEADLINE;
    return cs_net_fault_report(&(struct cs_net_outcome){.fault = CS_NET_DEADLINE,
                                                        .url = call->request.url,
                                                        .detail = ""},
                               &call->err);
}

/* `anew`: in place of one that a kept connection, already dead, took with it. It is
 * prepared like any other, as what it was prepared from may be another call's by now. */
static enum cs_code prepare_call(const struct cs_net_client *client,
                                 struct cs_net_call *call, bool anew)
{
    enum cs_code rc;

    cs_net_release(call->response);
    if (!anew)
        call->response->tries = 0;
    call->response->status = 0;
    call->response->fault = CS_NET_LOCAL;
    if (client->owner != getpid())
        return cs_err_set(&call->err, CS_EINTERNAL,
                          "an HTTP client was used after a fork");
    if (call->prepare != NULL && (rc = call->prepare(call, &call->err)) != CS_OK)
        return rc;
    return check_time(call);
}

static void start_call(struct cs_net_client *client, struct cs_net_call *call, bool anew)
{
    enum cs_code rc = prepare_call(client, call, anew);

    if (rc == CS_OK)
        rc = launch(client, call, anew);
    if (rc != CS_OK)
        never_started(call, rc);
}

static void finish_call(struct cs_net_client *client, struct cs_net_call *call)
{
    struct cs_net_transfer *t = call->transfer;
    enum cs_code rc;

    client->counts.connections +=
        (uint64_t)cs_net_handle_count(t->easy, CURLINFO_NUM_CONNECTS);
    call->transfer = NULL;
    if (t->state == CS_NET_DONE && call->response->tries == 1 &&
        cs_net_transfer_died_idle(t)) {
        client->counts.replaced++;
        give_back(t);
        start_call(client, call, true);
        return;
    }
    rc = cs_net_transfer_outcome(t, &call->err);
    if (rc == CS_OK && call->response->hold && call->response->status / 100 == 2) {
        call->response->held = t;
        t->request = NULL;
    } else {
        give_back(t);
    }
    end_call(call, rc);
}

/* Gives up whatever runs, after libcurl itself failed. */
static void fail_running(struct cs_net_call *calls, size_t count,
                         const struct cs_err *why)
{
    for (size_t i = 0; i < count; i++) {
        if (calls[i].ended)
            continue;
        if (calls[i].transfer != NULL) {
            calls[i].transfer->local = why->code;
            give_back(calls[i].transfer);
            calls[i].transfer = NULL;
        }
        calls[i].err = *why;
        calls[i].code = why->code;
        calls[i].ended = true;
    }
}

struct round {
    size_t running;
    size_t open;     /* not ended: running or still to start */
    int64_t wake_us; /* when the next timer of ours is due */
};

static void sooner(struct round *round, int64_t at_us)
{
    if (at_us < round->wake_us)
        round->wake_us = at_us;
}

static void look_at(struct cs_net_client *client, struct cs_net_call *call,
                    int64_t now_us)
{
    if (call->ended || call->transfer == NULL)
        return;
    cs_net_transfer_watch(call->transfer, now_us);
    if (is_over(call->transfer))
        finish_call(client, call);
}

/* Ends what is over, starts what may start, and says what is left. */
static struct round turn(struct cs_net_client *client, struct cs_net_call *calls,
                         size_t count, size_t parallel)
{
    int64_t now_us = cs_clock_monotonic_us();
    struct round round = {.wake_us = now_us + WAIT_MAX_MS * 1000ll};

    for (size_t i = 0; i < count; i++) {
        look_at(client, &calls[i], now_us);
        round.running += calls[i].transfer != NULL ? 1 : 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct cs_net_call *call = &calls[i];

        if (call->ended)
            continue;
        if (call->transfer == NULL && call->not_before_us > now_us) {
            sooner(&round, call->not_before_us);
        } else if (call->transfer == NULL && round.running < parallel) {
            start_call(client, call, false);
            round.running += call->transfer != NULL ? 1 : 0;
        }
        if (call->transfer != NULL) {
            sooner(&round, call->request.deadline.at_us);
            sooner(&round,
                   call->transfer->moved_us + call->transfer->idle_ms * 1000ll + 1000);
        }
        round.open += call->ended ? 0 : 1;
    }
    return round;
}

static int wait_ms(const struct round *round)
{
    int64_t left_us = round->wake_us - cs_clock_monotonic_us();

    return left_us <= 0 ? 0 : (int)((left_us + 999) / 1000);
}

/* ---- one small call ---- */

static bool goes_by_wire(const struct cs_net_client *client,
                         const struct cs_net_call *call)
{
    return call->small && client->options.proxy == NULL && !call->response->hold &&
           call->response->sink == NULL;
}

static void wait_until(int64_t at_us)
{
    int64_t left_us;

    while ((left_us = at_us - cs_clock_monotonic_us()) > 0)
        (void)poll(NULL, 0, (int)((left_us + 999) / 1000));
}

static void perform_by_wire(struct cs_net_client *client, struct cs_net_call *call)
{
    struct cs_net_wire_news news = {.died_idle = false};
    bool anew = false;
    enum cs_code rc;

    while (!call->ended) {
        wait_until(call->not_before_us);
        if ((rc = prepare_call(client, call, anew)) != CS_OK) {
            never_started(call, rc);
            return;
        }
        client->counts.requests++;
        call->response->tries++;
        rc = cs_net_wire_exchange(client->wire, &call->request, call->response, anew,
                                  &news, &call->err);
        client->counts.connections += news.connected ? 1 : 0;
        anew = news.died_idle && call->response->tries == 1;
        if (anew) {
            client->counts.replaced++;
            call->err = CS_ERR_NONE;
        } else {
            end_call(call, rc);
        }
    }
}

/* ---- */

static void perform_side_by_side(struct cs_net_client *client, struct cs_net_call *calls,
                                 size_t count, size_t parallel)
{
    struct cs_err err = CS_ERR_NONE;
    struct round round;

    for (;;) {
        round = turn(client, calls, count, parallel);
        if (round.open == 0)
            return;
        if (round.running == 0) {
            (void)poll(NULL, 0, wait_ms(&round));
            continue;
        }
        if (move_on(client, &err) != CS_OK) {
            fail_running(calls, count, &err);
            return;
        }
        round = turn(client, calls, count, parallel);
        if (round.open == 0)
            return;
        if (round.running > 0)
            wait_for_bytes(client, wait_ms(&round));
    }
}

void cs_net_perform_many(struct cs_net_client *client, struct cs_net_call *calls,
                         size_t count, size_t parallel)
{
    for (size_t i = 0; i < count; i++) {
        calls[i].transfer = NULL;
        calls[i].ended = false;
        calls[i].code = CS_OK;
        calls[i].err = CS_ERR_NONE;
    }
    if (count == 1 && goes_by_wire(client, &calls[0]))
        perform_by_wire(client, &calls[0]);
    else
        perform_side_by_side(client, calls, count, parallel);
}

enum cs_code cs_net_perform(struct cs_net_client *client,
                            const struct cs_net_request *request,
                            struct cs_net_response *response, struct cs_err *err)
{
    struct cs_net_call call = {.request = *request, .response = response};

    cs_net_perform_many(client, &call, 1, 1);
    if (call.code != CS_OK)
        cs_err_hand_on(err, &call.err);
    return call.code;
}

/* ---- held bodies ---- */

static bool trickles(const struct cs_net_transfer *t, int64_t waited_us)
{
    int64_t bytes = cs_net_handle_number(t->easy, CURLINFO_SIZE_DOWNLOAD_T);

    return waited_us > t->idle_ms * 1000ll + bytes * SLOWEST_BYTE_US;
}

static enum cs_code wait_for_piece(struct cs_net_transfer *t, struct cs_err *err)
{
    struct cs_net_client *client = t->client;
    int64_t from_us = cs_clock_monotonic_us();
    int64_t now_us = from_us;
    enum cs_code rc;

    t->moved_us = from_us; /* the reader's own pauses do not count */
    while (t->kept_at == t->kept.len && t->state != CS_NET_DONE) {
        if (t->paused) {
            t->paused = false;
            if (curl_easy_pause(t->easy, CURLPAUSE_CONT) != CURLE_OK)
                t->local = t->local != CS_OK ? t->local : CS_EINTERNAL;
        } else if ((rc = move_on(client, err)) != CS_OK) {
            return rc;
        }
        now_us = cs_clock_monotonic_us();
        cs_net_transfer_watch(t, now_us);
        if (t->fault == CS_NET_OK && trickles(t, t->waited_us + now_us - from_us))
            t->fault = CS_NET_IDLE;
        if (t->fault != CS_NET_OK || t->local != CS_OK)
            return cs_net_transfer_outcome(t, err);
        if (t->kept_at == t->kept.len && t->state != CS_NET_DONE && !t->paused)
            wait_for_bytes(client, WAIT_MAX_MS / 4);
    }
    t->waited_us += now_us - from_us;
    return CS_OK;
}

enum cs_code cs_net_read(struct cs_net_response *response, char *to, size_t room,
                         size_t *got_out, struct cs_err *err)
{
    struct cs_net_transfer *t = response->held;
    size_t got;
    enum cs_code rc;

    *got_out = 0;
    if (t == NULL)
        return cs_err_set(err, CS_EINTERNAL, "a body was read that is not held");
    if ((rc = wait_for_piece(t, err)) != CS_OK)
        return rc;
    got = t->kept.len - t->kept_at;
    if (got == 0)
        return cs_net_transfer_outcome(t, err); /* the end, or what broke it */
    if (got > room)
        got = room;
    memcpy(to, t->kept.ptr + t->kept_at, got);
    t->kept_at += got;
    *got_out = got;
    return CS_OK;
}

void cs_net_release(struct cs_net_response *response)
{
    struct cs_net_transfer *t = response->held;

    if (t == NULL)
        return;
    response->held = NULL;
    give_back(t);
}
