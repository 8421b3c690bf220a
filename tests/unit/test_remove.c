#include "config.h"

#include "unit.h"

#include "campaign/remove.h"

/* The domain's way through a deletion that begins with a withdrawal, on a store that
 * holds one record with its counters, and notes what it is asked. */

#define CREATED "2024-12-01T12:00:00.000001Z"
#define NOW     1733054400123000
#define SUMMARY "{\"campaign_id\":\"c\",\"user_id\":\"ann\",\"execution_time\":2.5}"
#define FILE(name)                                                  \
    "{\"key\":\"campaigns/c/" name "\",\"version\":\"v-" name "\"," \
    "\"bucket\":\"outputs\",\"size\":10}"
#define OLDER(name) "{\"key\":\"campaigns/c/" name "\",\"bucket\":\"older\"}"
#define DETAIL      "{\"files\":{\"website\":" FILE("w") ",\"pdf\":" FILE("p") "}}"

struct sum {
    char name[80];
    int64_t value;
};

struct fake_store {
    struct cs_store store; /* first: is a store itself */
    struct cs_store_ops ops;
    const char *bucket;
    struct fake_store *main; /* that notes the calls: itself, but for another bucket */
    struct fake_store *other;
    struct cs_record *record; /* that stands there; NULL: none */
    uint64_t versions;        /* of objects below its prefix */
    uint64_t left;            /* what a second listing finds once */
    struct sum sums[8];
    struct cs_buf asked;
    const char *fails;  /* the next call of that name; "" */
    bool late;          /* when it is done: the answer is lost */
    bool refuses;       /* withdrawals */
    unsigned conflicts; /* of the commits to come */
    const char *before; /* this call, somebody else acts once; "" */
    void (*meanwhile)(struct fake_store *s);
};

static struct fake_store *fake(struct cs_store *store)
{
    return (struct fake_store *)store;
}

static enum cs_code fail_now(struct fake_store *s, const char *call, bool late,
                             struct cs_err *err)
{
    if (s->late != late || strcmp(s->fails, call) != 0)
        return CS_OK;
    s->fails = "";
    return cs_err_set(err, CS_EUPSTREAM, "%s broke", call);
}

/* What comes before the deed. */
static enum cs_code ask(struct fake_store *s, const char *call, struct cs_err *err)
{
    cs_buf_add_fmt(&s->main->asked, "%s%s", s->main->asked.len > 0 ? " " : "", call);
    if (strcmp(s->before, call) == 0) {
        s->before = "";
        s->meanwhile(s);
    }
    return fail_now(s, call, false, err);
}

static void stand(struct fake_store *s, const struct cs_record *record)
{
    struct cs_record *old = s->record;

    s->record = NULL;
    if (record != NULL) {
        s->record = cs_record_copy(record);
        assert_non_null(s->record);
    }
    cs_record_free(old);
}

static void move(struct fake_store *s, const struct cs_delta *deltas, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[80];
        size_t at = 0;

        (void)snprintf(name, sizeof(name), "%.*s %.*s", CS_FMT(deltas[i].group),
                       CS_FMT(deltas[i].name));
        while (s->sums[at].name[0] != '\0' && strcmp(s->sums[at].name, name) != 0)
            assert_true(++at < CS_COUNT(s->sums));
        memcpy(s->sums[at].name, name, sizeof(name));
        s->sums[at].value += deltas[i].add;
    }
}

static const struct cs_store_names *fake_names(const struct cs_store *store)
{
    static struct cs_store_names names;

    names.bucket_name = cs_view_cstr(((const struct fake_store *)store)->bucket);
    return &names;
}

static enum cs_code fake_get(struct cs_store *store, struct cs_view key,
                             struct cs_record **out, struct cs_deadline deadline,
                             struct cs_err *err)
{
    struct fake_store *s = fake(store);
    enum cs_code rc = ask(s, "get", err);

    (void)deadline;
    *out = NULL;
    if (rc != CS_OK)
        return rc;
    if (s->record == NULL || !cs_view_eq(s->record->key, key))
        return cs_err_set(err, CS_ENOTFOUND, "no record");
    *out = cs_record_copy(s->record);
    return *out != NULL ? CS_OK : cs_err_nomem(err);
}

static enum cs_code fake_withdraw(struct cs_store *store,
                                  const struct cs_withdrawal *withdrawal,
                                  struct cs_record **out, struct cs_deadline deadline,
                                  struct cs_err *err)
{
    struct fake_store *s = fake(store);
    const struct cs_record *r;
    struct cs_record after;
    enum cs_code rc = ask(s, "withdraw", err);

    (void)deadline;
    *out = NULL;
    if (rc != CS_OK)
        return rc;
    r = s->record;
    if (s->refuses || r == NULL || !cs_view_eq(r->key, withdrawal->key) ||
        r->user_id.len == 0 ||
        !(withdrawal->anyones || cs_view_eq(r->user_id, withdrawal->user_id)) ||
        (r->expires_at_us != 0 && r->expires_at_us <= withdrawal->now_us))
        return cs_err_set(err, CS_ECONFLICT, "not to be withdrawn");
    if ((*out = cs_record_copy(r)) == NULL)
        return cs_err_nomem(err);
    after = cs_record_withdrawn(*out, withdrawal->status);
    stand(s, &after);
    if ((rc = fail_now(s, "withdraw", true, err)) != CS_OK) {
        cs_record_free(*out);
        *out = NULL;
    }
    return rc;
}

static enum cs_code write_it(struct fake_store *s, const char *call,
                             const struct cs_transaction *transaction, struct cs_err *err)
{
    const struct cs_write *write = &transaction->writes[0];
    struct cs_record next = *write->record;

    assert_int_equal(transaction->write_count, 1);
    if (s->record == NULL || s->record->revision != next.revision)
        return cs_err_set(err, CS_ECONFLICT, "another revision");
    next.revision++;
    stand(s, write->kind == CS_WRITE_DELETE ? NULL : &next);
    move(s, transaction->deltas, transaction->delta_count);
    return fail_now(s, call, true, err);
}

static enum cs_code fake_commit(struct cs_store *store,
                                const struct cs_transaction *transaction,
                                struct cs_deadline deadline, struct cs_err *err)
{
    struct fake_store *s = fake(store);
    enum cs_code rc = ask(s, "commit", err);

    (void)deadline;
    if (rc == CS_OK && s->conflicts > 0) {
        s->conflicts--;
        return cs_err_set(err, CS_ECONFLICT, "another revision");
    }
    return rc == CS_OK ? write_it(s, "commit", transaction, err) : rc;
}

static enum cs_code fake_erase(struct cs_store *store,
                               const struct cs_transaction *transaction,
                               uint64_t *deleted_out, struct cs_deadline deadline,
                               struct cs_err *err)
{
    struct fake_store *s = fake(store);
    enum cs_code rc = ask(s, "erase", err);

    (void)deadline;
    *deleted_out = 0;
    assert_int_equal(s->versions, 0); /* objects first */
    if (rc == CS_OK && (rc = write_it(s, "erase", transaction, err)) == CS_OK)
        *deleted_out = 7;
    return rc;
}

static enum cs_code clear_folder(struct fake_store *s, const char *call,
                                 struct cs_view prefix, struct cs_delete_report *out,
                                 struct cs_err *err)
{
    enum cs_code rc = ask(s, call, err);

    *out = (struct cs_delete_report){.objects_deleted = 0};
    assert_view(prefix, "campaigns/c/");
    if (rc != CS_OK)
        return rc;
    *out = (struct cs_delete_report){.objects_deleted = s->versions,
                                     .versions_deleted = 2 * s->versions,
                                     .bytes_deleted = 10 * s->versions,
                                     .left = s->left};
    s->versions = 0;
    s->left = 0;
    return fail_now(s, call, true, err);
}

static enum cs_code fake_delete_prefix(struct cs_store *store, struct cs_view prefix,
                                       struct cs_delete_report *out,
                                       struct cs_deadline deadline, struct cs_err *err)
{
    struct fake_store *s = fake(store);

    (void)deadline;
    return clear_folder(s, s == s->main ? "prefix" : "prefix-elsewhere", prefix, out,
                        err);
}

static enum cs_code fake_delete_folder(struct cs_store *store, struct cs_view prefix,
                                       const struct cs_object_entry *known, size_t count,
                                       struct cs_delete_report *out,
                                       struct cs_deadline deadline, struct cs_err *err)
{
    struct fake_store *s = fake(store);
    enum cs_code rc = clear_folder(s, "folder", prefix, out, err);

    (void)deadline;
    cs_buf_add_fmt(&s->asked, ":%zu", count);
    for (size_t i = 0; i < count; i++) {
        assert_true(cs_view_starts(known[i].key, prefix));
        assert_true(cs_view_starts(known[i].version, CS_LIT("v-")));
        assert_int_equal(known[i].size, 10);
    }
    return rc;
}

static struct cs_store *fake_in_bucket(struct cs_store *store, struct cs_view bucket,
                                       struct cs_err *err)
{
    struct fake_store *s = fake(store);

    if (s->other != NULL && cs_view_eq_cstr(bucket, s->other->bucket))
        return &s->other->store;
    (void)cs_err_set(err, CS_EINVAL, "no bucket %.*s", CS_FMT(bucket));
    return NULL;
}

/* ---- a test's world ---- */

struct fixture {
    struct fake_store fake;
    struct fake_store elsewhere;
    struct cs_campaigns campaigns;
    struct cs_call call;
    struct cs_removal removal;
};

static void open_store(struct fake_store *s, struct fake_store *main, const char *bucket)
{
    s->ops = (struct cs_store_ops){.names = fake_names,
                                   .get = fake_get,
                                   .withdraw = fake_withdraw,
                                   .commit = fake_commit,
                                   .erase = fake_erase,
                                   .delete_prefix = fake_delete_prefix,
                                   .delete_folder = fake_delete_folder,
                                   .in_bucket = fake_in_bucket};
    s->store.ops = &s->ops;
    s->main = main;
    s->bucket = bucket;
    s->fails = s->before = "";
    cs_buf_init(&s->asked, 1u << 16);
}

static void make(struct fixture *f, const char *detail)
{
    const struct cs_record record = {.key = CS_LIT("c"),
                                     .revision = 5,
                                     .user_id = CS_LIT("ann"),
                                     .status = CS_LIT("completed"),
                                     .created_at = CS_LIT(CREATED),
                                     .summary = CS_LIT(SUMMARY),
                                     .detail = cs_view_cstr(detail)};
    struct cs_buf group = CS_BUF_INIT(CS_USER_ID_MAX + 16);
    struct cs_delta deltas[CS_CAMPAIGN_DELTAS_MAX];

    memset(f->fake.sums, 0, sizeof(f->fake.sums));
    move(&f->fake, deltas, cs_campaign_deltas(&record, 1, &group, deltas));
    cs_buf_clear(&group);
    stand(&f->fake, &record);
    f->fake.versions = 2;
    cs_buf_reset(&f->fake.asked);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    open_store(&f->fake, &f->fake, "outputs");
    open_store(&f->elsewhere, &f->fake, "older");
    f->fake.other = &f->elsewhere;
    f->campaigns = (struct cs_campaigns){.store = &f->fake.store};
    f->call = (struct cs_call){
        .user_id = CS_LIT("ann"), .now_us = NOW, .deadline = cs_deadline_in_ms(120000)};
    make(f, DETAIL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    cs_record_free(f->fake.record);
    cs_buf_clear(&f->fake.asked);
    cs_buf_clear(&f->elsewhere.asked);
    free(f);
    return 0;
}

/* A request, and what it asked of the store. */
static enum cs_code remove_it(struct fixture *f, const char *asked, struct cs_err *err)
{
    enum cs_code rc;

    cs_buf_reset(&f->fake.asked);
    rc = cs_campaign_remove(&f->campaigns, &f->call, CS_LIT("c"), &f->removal, err);
    if (asked != NULL)
        assert_string_equal(cs_buf_cstr(&f->fake.asked), asked);
    return rc;
}

static void assert_sums(const struct fixture *f, int64_t campaigns)
{
    static const struct sum counted[] = {{"stats total", 1},
                                         {"stats status/completed", 1},
                                         {"user/ann total", 1},
                                         {"stats execution_time_us", 2500000}};

    for (size_t i = 0; i < CS_COUNT(counted); i++) {
        assert_string_equal(f->fake.sums[i].name, counted[i].name);
        assert_int_equal(f->fake.sums[i].value, campaigns * counted[i].value);
    }
    assert_int_equal(f->fake.sums[CS_COUNT(counted)].name[0], '\0');
}

static void assert_gone(const struct fixture *f)
{
    assert_null(f->fake.record);
    assert_int_equal(f->fake.versions, 0);
    assert_sums(f, 0);
}

/* Listed nowhere, and yet counted: by what it was. */
static void assert_withdrawn(const struct fixture *f)
{
    assert_non_null(f->fake.record);
    assert_view(f->fake.record->user_id, "");
    assert_view(f->fake.record->status, "deleting");
    assert_sums(f, 1);
}

/* ---- the tests ---- */

static void test_at_once(void **state)
{
    struct fixture *f = *state;

    assert_ok(remove_it(f, "withdraw folder:2 erase", err));
    assert_true(f->removal.objects_ok && f->removal.records_ok);
    assert_int_equal(f->removal.objects.objects_deleted, 2);
    assert_int_equal(f->removal.objects.versions_deleted, 4);
    assert_int_equal(f->removal.objects.bytes_deleted, 20);
    assert_int_equal(f->removal.records_deleted, 8);
    assert_string_equal(f->removal.objects_error, "");
    assert_string_equal(f->removal.records_error, "");
    assert_gone(f);
    assert_int_equal(remove_it(f, "withdraw get", NULL), CS_ENOTFOUND);
}

static void test_whose_it_is(void **state)
{
    struct fixture *f = *state;
    struct cs_err fault = CS_ERR_NONE;

    f->call.user_id = CS_LIT("bob");
    assert_int_equal(remove_it(f, "withdraw get", &fault), CS_ENOTFOUND);
    assert_string_equal(fault.reason, "campaign_not_found");
    f->call.user_id = CS_LIT("");
    assert_int_equal(remove_it(f, "withdraw get", NULL), CS_ENOTFOUND);
    assert_int_equal(f->fake.record->revision, 5);
    assert_int_equal(f->fake.versions, 2);
    assert_sums(f, 1);
    f->call.admin = true;
    assert_ok(remove_it(f, "withdraw folder:2 erase", err));
    assert_gone(f);
    /* what can't be a campaign's name is asked of nobody */
    cs_buf_reset(&f->fake.asked);
    assert_int_equal(
        cs_campaign_remove(&f->campaigns, &f->call, CS_LIT("#stats"), &f->removal, NULL),
        CS_ENOTFOUND);
    assert_int_equal(f->fake.asked.len, 0);
}

static void test_expired(void **state)
{
    struct fixture *f = *state;

    f->fake.record->expires_at_us = NOW;
    assert_int_equal(remove_it(f, "withdraw get", NULL), CS_ENOTFOUND);
    assert_sums(f, 1);
    f->fake.record->expires_at_us = NOW + 1;
    assert_ok(remove_it(f, "withdraw folder:2 erase", err));
    assert_gone(f);
}

/* Requests that are interrupted, one after the other, and one that finishes it. What was
 * withdrawn is finished by the same user alone, or an administrator. */
static void test_interrupted(void **state)
{
    static const struct {
        const char *fails;
        bool late;
        enum cs_code code;
        const char *asked;
    } cases[][4] = {
        {{"withdraw", false, CS_EUPSTREAM, "withdraw"},
         {"", false, CS_OK, "withdraw folder:2 erase"}},
        {{"withdraw", true, CS_EUPSTREAM, "withdraw"},
         {"get", false, CS_EUPSTREAM, "withdraw get"},
         {"prefix", false, CS_OK, "withdraw get prefix"},
         {"", false, CS_OK, "withdraw get prefix erase"}},
        {{"folder", false, CS_OK, "withdraw folder:2"},
         {"prefix", true, CS_OK, "withdraw get prefix"},
         {"", false, CS_OK, "withdraw get prefix erase"}},
        {{"folder", true, CS_OK, "withdraw folder:2"},
         {"erase", false, CS_OK, "withdraw get prefix erase"},
         {"", false, CS_OK, "withdraw get prefix erase"}},
        {{"erase", false, CS_OK, "withdraw folder:2 erase"},
         {"erase", true, CS_OK, "withdraw get prefix erase"},
         {"", false, CS_ENOTFOUND, "withdraw get"}},
        {{"erase", true, CS_OK, "withdraw folder:2 erase"},
         {"", false, CS_ENOTFOUND, "withdraw get"}},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        make(f, DETAIL);
        for (size_t k = 0; k < 4 && cases[i][k].asked != NULL; k++) {
            struct cs_err fault = CS_ERR_NONE;
            bool fails = cases[i][k].fails[0] != '\0';
            bool objects = strcmp(cases[i][k].fails, "erase") != 0;

            f->fake.fails = cases[i][k].fails;
            f->fake.late = cases[i][k].late;
            assert_int_equal(remove_it(f, cases[i][k].asked, &fault), cases[i][k].code);
            assert_int_equal(f->removal.records_ok, !fails && cases[i][k].code == CS_OK);
            if (fails && cases[i][k].code == CS_OK) {
                assert_int_equal(f->removal.objects_ok, !objects);
                assert_non_null(
                    strstr(objects ? f->removal.objects_error : f->removal.records_error,
                           "broke"));
                assert_int_equal(strstr(f->removal.records_error, "is kept") != NULL,
                                 objects);
            } else if (fails) {
                assert_non_null(strstr(fault.text, "broke"));
            }
            if (f->fake.record == NULL)
                assert_gone(f);
            else if (i > 0)
                assert_withdrawn(f);
            if (f->fake.record != NULL && i > 0) {
                f->call.user_id = CS_LIT("bob");
                assert_int_equal(remove_it(f, "withdraw get", NULL), CS_ENOTFOUND);
                f->call.user_id = CS_LIT("ann");
            }
        }
        assert_gone(f);
    }
}

/* S3 that says it deleted all, and did not. */
static void test_what_is_left(void **state)
{
    struct fixture *f = *state;

    f->fake.left = 1;
    assert_ok(remove_it(f, "withdraw folder:2", err));
    assert_false(f->removal.objects_ok || f->removal.records_ok);
    assert_non_null(strstr(f->removal.objects_error, "still found 1 versions"));
    assert_withdrawn(f);
    assert_ok(remove_it(f, "withdraw get prefix erase", err));
    assert_gone(f);
}

static void the_next_breaks(struct fake_store *s)
{
    s->fails = "erase";
}

static void somebody_moves_it_on(struct fake_store *s)
{
    s->record->revision++;
}

static void somebody_moves_it_on_first(struct fake_store *s)
{
    s->record->revision++;
    s->before = "get";
    s->meanwhile = the_next_breaks;
}

static void somebody_finishes(struct fake_store *s)
{
    stand(s, NULL);
    memset(s->sums, 0, sizeof(s->sums));
}

static void somebody_makes_it_anew(struct fake_store *s)
{
    struct cs_record record = *s->record;

    record.revision = 1;
    record.user_id = CS_LIT("ann");
    record.status = CS_LIT("running");
    record.withdrawn_user_id = record.withdrawn_status = CS_LIT("");
    stand(s, &record);
}

static void test_others_meanwhile(void **state)
{
    struct fixture *f = *state;

    f->fake.before = "erase";
    f->fake.meanwhile = somebody_moves_it_on;
    assert_ok(remove_it(f, "withdraw folder:2 erase get erase", err));
    assert_true(f->removal.records_ok);
    assert_int_equal(f->removal.records_deleted, 8);
    assert_gone(f);

    make(f, DETAIL);
    f->fake.before = "erase";
    f->fake.meanwhile = somebody_moves_it_on_first;
    assert_ok(remove_it(f, "withdraw folder:2 erase get erase", err));
    assert_false(f->removal.records_ok);
    assert_string_equal(f->removal.records_error, "erase broke");
    assert_withdrawn(f);

    make(f, DETAIL);
    f->fake.before = "erase";
    f->fake.meanwhile = somebody_finishes;
    assert_ok(remove_it(f, "withdraw folder:2 erase get", err));
    assert_true(f->removal.records_ok);
    assert_int_equal(f->removal.records_deleted, 0);
    assert_string_equal(f->removal.records_error, "");

    make(f, DETAIL);
    f->fake.before = "erase";
    f->fake.meanwhile = somebody_makes_it_anew;
    assert_ok(remove_it(f, "withdraw folder:2 erase get", err));
    assert_true(f->removal.records_ok); /* of the one that was to go, nothing is left */
    assert_int_equal(f->removal.records_deleted, 0);
    assert_int_equal(f->fake.record->revision, 1);
    assert_view(f->fake.record->status, "running");
    assert_sums(f, 1);
}

/* A store that can't withdraw this one, or none: then the commit moves the counters. */
static void test_step_by_step(void **state)
{
    struct fixture *f = *state;

    for (int missing = 0; missing < 2; missing++) {
        make(f, DETAIL);
        f->fake.refuses = true;
        if (missing)
            f->fake.ops.withdraw = NULL;
        f->fake.fails = "folder";
        assert_ok(remove_it(
            f, missing ? "get commit folder:2" : "withdraw get commit folder:2", err));
        assert_sums(f, 0);
        assert_view(f->fake.record->user_id, "");
        assert_view(f->fake.record->withdrawn_user_id, "");
        assert_ok(remove_it(f, missing ? "get prefix erase" : "withdraw get prefix erase",
                            err));
        assert_gone(f);
    }
}

static void test_contended(void **state)
{
    struct fixture *f = *state;
    struct cs_err fault = CS_ERR_NONE;

    f->fake.refuses = true;
    f->fake.conflicts = 2;
    assert_ok(
        remove_it(f, "withdraw get commit get commit get commit folder:2 erase", err));
    assert_gone(f);
    make(f, DETAIL);
    f->fake.conflicts = UINT32_MAX;
    assert_int_equal(remove_it(f, NULL, &fault), CS_EBUSY);
    assert_string_equal(fault.reason, "campaign_contended");
    assert_int_equal(f->fake.conflicts, UINT32_MAX - 8);
    assert_int_equal(f->fake.record->revision, 5);
    f->fake.conflicts = 0;
    f->fake.fails = "commit";
    fault = CS_ERR_NONE;
    assert_int_equal(remove_it(f, "withdraw get commit", &fault), CS_EUPSTREAM);
    assert_string_equal(fault.text, "commit broke");
    assert_sums(f, 1);
}

/* Objects in the bucket of before, and what is named in a bucket that is no more. */
static void test_elsewhere(void **state)
{
    static const char older[] =
        "{\"files\":{\"website\":" FILE("w") ",\"brief\":" OLDER("b") ",\"pdf\":" OLDER(
            "p") ",\"metadata\":{\"key\":\"campaigns/c/m\",\"bucket\":\"lost\"}}}";
    static const char two[] = "{\"files\":{\"website\":" FILE("w") ",\"brief\":" OLDER(
        "b") ",\"pdf\":" OLDER("p") "}}";
    struct fixture *f = *state;

    /* once each bucket, up to the first that fails */
    make(f, older);
    f->elsewhere.versions = 3;
    f->elsewhere.fails = "prefix-elsewhere";
    assert_ok(remove_it(f, "withdraw folder:1 prefix-elsewhere", err));
    assert_string_equal(f->removal.objects_error, "prefix-elsewhere broke");
    assert_ok(remove_it(f, "withdraw get prefix prefix-elsewhere", err));
    assert_string_equal(f->removal.objects_error, "no bucket lost");
    assert_withdrawn(f);
    make(f, two);
    f->elsewhere.versions = 3;
    f->elsewhere.left = 1;
    assert_ok(remove_it(f, "withdraw folder:1 prefix-elsewhere", err));
    assert_false(f->removal.objects_ok);
    assert_int_equal(f->removal.objects.objects_deleted, 5);
    assert_int_equal(f->removal.objects.versions_deleted, 10);
    assert_int_equal(f->removal.objects.bytes_deleted, 50);
    assert_int_equal(f->removal.objects.left, 1);
    assert_ok(remove_it(f, "withdraw get prefix prefix-elsewhere erase", err));
    assert_gone(f);
}

/* More than are deleted by name, and a key that is not below the campaign's prefix. */
static void test_many_names(void **state)
{
    struct fixture *f = *state;

    for (int count = 200; count <= 201; count++) {
        struct cs_buf detail = CS_BUF_INIT(1u << 20);

        cs_buf_add_cstr(&detail, "{\"files\":{\"a\":{\"key\":\"campaigns/d/a\","
                                 "\"bucket\":\"outputs\"}");
        for (int i = 0; i < count; i++)
            cs_buf_add_fmt(&detail,
                           ",\"f%d\":{\"key\":\"campaigns/c/f%d\",\"version\":\"v-%d\","
                           "\"bucket\":\"outputs\",\"size\":10}",
                           i, i, i);
        cs_buf_add_cstr(&detail, "}}");
        assert_ok(cs_buf_check(&detail, err));
        make(f, cs_buf_cstr(&detail));
        assert_ok(remove_it(
            f, count == 200 ? "withdraw folder:200 erase" : "withdraw prefix erase",
            err));
        assert_gone(f);
        cs_buf_clear(&detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whose_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expired, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_step_by_step, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_names, setup, teardown),
    };

    return cmocka_run_group_tests_name("remove", tests, NULL, NULL);
}
