/* tests/unit/store_calls.h: calls of a store's interface that tests make again and again
 * while something fails. */
#ifndef CS_TESTS_STORE_CALLS_H
#define CS_TESTS_STORE_CALLS_H

#include "store_helpers.h"

/* One call of the interface; what it gave is released. It may be made any number of
 * times. */
typedef enum cs_code call_fn(struct cs_store *store, struct cs_err *err);

static inline enum cs_code do_init(struct cs_store *store, struct cs_err *err)
{
    struct cs_buf report = CS_BUF_INIT(65536);
    enum cs_code rc = store->ops->init(store, &report, soon(), err);

    cs_buf_clear(&report);
    return rc;
}

static inline enum cs_code do_log_append(struct cs_store *store, struct cs_err *err)
{
    const struct cs_view entry = CS_LIT("{}");

    return store->ops->log_append(store, CS_LIT("a"), &entry, 1, CS_LIT("x"), soon(),
                                  err);
}

static inline enum cs_code do_log_read(struct cs_store *store, struct cs_err *err)
{
    struct cs_log_page page;
    enum cs_code rc =
        store->ops->log_read(store, CS_LIT("a"), CS_LIT(""), 5, &page, soon(), err);

    cs_log_page_clear(&page);
    return rc;
}

static inline enum cs_code do_counters(struct cs_store *store, struct cs_err *err)
{
    struct cs_counters counters;
    enum cs_code rc =
        store->ops->counters(store, CS_LIT("stats"), &counters, soon(), err);

    assert_int_equal(counters.count > 0, rc == CS_OK);
    cs_counters_clear(&counters);
    return rc;
}

#endif
