#include "config.h"

#include "unit.h"

#include <signal.h>

#include "aws/s3_reader.h"
#include "fake_aws.h"

/* Bodies that break on their way, and answers that are of other bytes. An object is large
 * enough that its break is not seen with its head, when all is asked for again. */

#define SIZE        200000
#define TEXT_(n)    #n
#define TEXT(n)     TEXT_(n)
#define OF_SIZE     "/" TEXT(SIZE)
#define SAME        "ETag: \"e\"\r\nx-amz-version-id: v1\r\n"
#define PART(range) SAME "Content-Range: bytes " range "\r\n"
#define THE_REST    "199997-199999"

struct read_case {
    const struct fake_answer *script;
    const char *range; /* that is asked for; NULL: all */
    size_t first;      /* of the bytes that come */
    size_t end;
    enum cs_code code; /* when they have come */
    bool resumes;      /* behind the break, and asks for the rest alone */
};

static char object[SIZE + 1];

static void read_it(const struct read_case *c, struct fake_aws *fake, struct cs_s3 *s3)
{
    const struct cs_s3_get get = {.key = CS_LIT("k"), .range = c->range};
    struct cs_s3_reader *reader;
    struct cs_buf bytes = CS_BUF_INIT(2 * SIZE);
    size_t got = 0;
    enum cs_code rc;

    fake_aws_play(fake, c->script);
    rc = cs_s3_reader_open(s3, &get, &reader, cs_deadline_in_ms(60000), NULL);
    assert_int_equal(reader != NULL, rc == CS_OK);
    while (rc == CS_OK) {
        char piece[4096];

        rc = cs_s3_reader_read(reader, piece, sizeof(piece), &got, NULL);
        cs_buf_add(&bytes, cs_view_of(piece, got));
        if (got == 0)
            break;
    }
    cs_s3_reader_free(reader);
    assert_int_equal(rc, c->code);
    assert_int_equal(bytes.len, c->end - c->first);
    if (bytes.len > 0)
        assert_memory_equal(bytes.ptr, object + c->first, bytes.len);
    assert_int_equal(fake_aws_saw(fake, "GET /outputs/k"), c->resumes ? 2 : 1);
    assert_int_equal(fake_aws_saw(fake, "GET /outputs/k?versionId=v1 "), c->resumes);
    assert_int_equal(fake_aws_saw(fake, "Range: bytes=" THE_REST "\r\n"), c->resumes);
    assert_int_equal(fake_aws_saw(fake, "If-Match: \"e\"\r\n"), c->resumes);
    cs_buf_clear(&bytes);
}

static void test_reading(void **state)
{
#define REST              (object + SIZE - 3)
#define SCRIPT(name, ...) static const struct fake_answer name[] = { __VA_ARGS__, {0} }
#define BROKEN                         \
    {                                  \
        200, SAME, object, FAKE_CUT, 0 \
    }
    SCRIPT(whole, {200, SAME, object, FAKE_KEEP, 0});
    SCRIPT(empty, {200, SAME, "", FAKE_KEEP, 0});
    SCRIPT(part, {206, PART("2-4" OF_SIZE), "cde", FAKE_KEEP, 0});
    SCRIPT(broken, BROKEN, {206, PART(THE_REST OF_SIZE), REST, FAKE_KEEP, 0});
    SCRIPT(broken_part, {206, PART("2-199999" OF_SIZE), object + 2, FAKE_CUT, 0},
           {206, PART(THE_REST OF_SIZE), REST, FAKE_KEEP, 0});
    SCRIPT(no_tag, {200, "", object, FAKE_CUT, 0});
    SCRIPT(changed, BROKEN,
           {412, "", "<Error><Code>PreconditionFailed</Code></Error>", FAKE_KEEP, 0});
    SCRIPT(other_first, BROKEN,
           {206, PART("199996-199999" OF_SIZE), REST - 1, FAKE_KEEP, 0});
    SCRIPT(other_end, BROKEN, {206, PART("199997-199998" OF_SIZE), "xx", FAKE_KEEP, 0});
    SCRIPT(other_size, BROKEN, {206, PART(THE_REST "/200001"), REST, FAKE_KEEP, 0});
    SCRIPT(all_again, BROKEN, {200, SAME, object, FAKE_KEEP, 0});
    SCRIPT(short_part, {206, PART("2-5" OF_SIZE), "cd", FAKE_KEEP, 0});
    SCRIPT(no_end, {206, PART("2-" OF_SIZE), "cdef", FAKE_KEEP, 0});
    SCRIPT(no_size, {206, PART("2-5/*"), "cdef", FAKE_KEEP, 0});
    SCRIPT(behind, {206, PART("2-5/5"), "cdef", FAKE_KEEP, 0});
    SCRIPT(backwards, {206, PART("5-2" OF_SIZE), "cdef", FAKE_KEEP, 0});
    SCRIPT(absent, {404, "", "<Error><Code>NoSuchKey</Code></Error>", FAKE_KEEP, 0});
#undef SCRIPT
    static const struct read_case cases[] = {
        {whole, NULL, 0, SIZE, CS_OK, false},
        {empty, NULL, 0, 0, CS_OK, false},
        {part, "bytes=2-4", 2, 5, CS_OK, false},
        {broken, NULL, 0, SIZE, CS_OK, true},
        {broken_part, "bytes=2-199999", 2, SIZE, CS_OK, true},
        {no_tag, NULL, 0, SIZE - 3, CS_EUPSTREAM, false},
        {changed, NULL, 0, SIZE - 3, CS_ECONFLICT, true},
        {other_first, NULL, 0, SIZE - 3, CS_EUPSTREAM, true},
        {other_end, NULL, 0, SIZE - 3, CS_EUPSTREAM, true},
        {other_size, NULL, 0, SIZE - 3, CS_EUPSTREAM, true},
        {all_again, NULL, 0, SIZE - 3, CS_EUPSTREAM, true},
        {short_part, "bytes=2-5", 2, 4, CS_EUPSTREAM, false},
        {no_end, "bytes=2-5", 0, 0, CS_EUPSTREAM, false},
        {no_size, "bytes=2-5", 0, 0, CS_EUPSTREAM, false},
        {behind, "bytes=2-5", 0, 0, CS_EUPSTREAM, false},
        {backwards, "bytes=2-5", 0, 0, CS_EUPSTREAM, false},
        {absent, NULL, 0, 0, CS_ENOTFOUND, false},
    };
    struct fake_aws fake;
    struct cs_s3_options options = {.region = "eu-central-1", .bucket = "outputs"};
    struct cs_s3 *s3;

    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        object[i] = (char)('a' + i % 23);
    fake_aws_init(&fake, NULL);
    options.aws = fake.aws;
    options.url = fake.url;
    s3 = cs_s3_new(&options, NULL);
    assert_non_null(s3);
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        read_it(&cases[i], &fake, s3);
    cs_s3_free(s3);
    fake_aws_clear(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading)};

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
