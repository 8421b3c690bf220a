/* tests/unit/campaign_fixture.h: the domain on a local store of its own, whose calls can
 * be made to fail. */
#ifndef CS_TESTS_CAMPAIGN_FIXTURE_H
#define CS_TESTS_CAMPAIGN_FIXTURE_H

#include "campaign/create.h"
#include "campaign/verify.h"
#include "faulty_store.h"
#include "store/store_local.h"
#include "unit_folder.h"

struct fixture {
    char *folder;
    struct faulty_store faulty;
    struct cs_campaigns campaigns;
    struct cs_call call;
    struct cs_faults faults;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->folder = unit_folder_make();
    f->faulty.inner = cs_store_local_new(
        &(struct cs_store_local_options){
            .root = f->folder, .bucket_name = "outputs", .table_name = "campaigns"},
        NULL);
    assert_non_null(f->faulty.inner);
    f->faulty.store.ops = &faulty_ops;
    f->campaigns = (struct cs_campaigns){
        .store = &f->faulty.store,
        .limits = {.json_bytes = 1u << 20,
                   .file_bytes = 1u << 20,
                   .files = 3,
                   .part_bytes = 4096,
                   .interactions = 1000,
                   .inline_brief_bytes = 200,
                   .inline_progress_bytes = 200,
                   .inline_interaction_bytes = 65536},
    };
    f->call = (struct cs_call){.user_id = CS_LIT("alice"),
                               .now_us = 1733054400123000,
                               .deadline = cs_deadline_in_ms(120000)};
    cs_faults_init(&f->faults);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    f->faulty.inner->ops->free(f->faulty.inner);
    unit_folder_remove(f->folder);
    cs_faults_clear(&f->faults);
    free(f);
    return 0;
}

#define BODY(id)                                                                       \
    "{\"campaign_id\":\"" id "\",\"campaign_name\":\"N\",\"campaign_brief\":{\"a\":1." \
    "50}}"

static inline enum cs_code create(struct fixture *f, const char *body, const char *key,
                                  struct cs_record **out, struct cs_err *err)
{
    bool replayed;

    cs_faults_clear(&f->faults);
    return cs_campaign_create(&f->campaigns, &f->call, cs_view_cstr(body),
                              cs_view_cstr(key), out, &replayed, &f->faults, err);
}

static inline void create_ok(struct fixture *f, const char *body)
{
    struct cs_record *record = NULL;

    assert_ok(create(f, body, "", &record, err));
    cs_record_free(record);
}

/* setup() with a campaign "c". */
static inline int setup_campaign(void **state)
{
    (void)setup(state);
    create_ok(*state, BODY("c"));
    return 0;
}

struct findings {
    size_t of_kind[CS_FINDING_EXPIRED + 1];
    size_t count, repaired;
};

static inline void count_finding(void *payload, const struct cs_finding *finding)
{
    struct findings *findings = payload;

    findings->of_kind[finding->kind]++;
}

/* What fsck finds, bytes included, and repairs where it can. No record may ever name
 * what is not there. */
static inline struct findings find_and_repair(struct fixture *f)
{
    struct findings findings = {.count = 0};
    struct cs_verify_options options = {.repair = true,
                                        .check_bytes = true,
                                        .finding = count_finding,
                                        .payload = &findings};
    struct cs_call later = f->call;
    struct cs_verify_report report;

    later.now_us = cs_clock_now_us() + CS_SECOND_US;
    assert_ok(cs_campaigns_verify(&f->campaigns, &later, &options, &report, err));
    assert_int_equal(findings.of_kind[CS_FINDING_MISSING_OBJECT], 0);
    assert_int_equal(findings.of_kind[CS_FINDING_WRONG_BYTES], 0);
    findings.count = report.findings;
    findings.repaired = report.repaired;
    return findings;
}

#endif
