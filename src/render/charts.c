#include "config.h"

#include "render/charts.h"

#include <math.h>

#include "render/chart_dates.h"
#include "render/chart_parts.h"
#include "render/markdown.h"
#include "render/text.h"

#define CELL_TEXT  300u
#define MAX_CHARTS 4u

/* ---- numbers -------------------------------------------------------- */

/* The decimal separator is the last one, when one or two digits follow it. */
static bool is_decimal(const char *digits, size_t at, size_t len)
{
    size_t after = len - at - 1;

    for (size_t i = at + 1; i < len; i++)
        if (digits[i] == '.' || digits[i] == ',')
            return false;
    return after == 1 || after == 2 || (digits[0] == '0' && at == 1 && after > 0);
}

/* What a word behind a number multiplies it by: "k", "万". */
static double magnitude(struct cs_view behind)
{
    static const struct {
        const char *word;
        double factor;
    } words[] = {{"k", 1e3},   {"K", 1e3},   {"M", 1e6},  {"тыс", 1e3}, {"млн", 1e6},
                 {"tys", 1e3}, {"mln", 1e6}, {"万", 1e4}, {"萬", 1e4},  {"億", 1e8},
                 {"亿", 1e8},  {"만", 1e4},  {"억", 1e8}};

    for (size_t i = 0; i < CS_COUNT(words); i++) {
        struct cs_view word = cs_view_cstr(words[i].word);
        char next = behind.len > word.len ? behind.ptr[word.len] : ' ';

        /* "5 km" is no five thousand */
        if (cs_view_starts(behind, word) &&
            (word.len > 1 || ((next | 0x20) - 'a' < 0 || (next | 0x20) > 'z')))
            return words[i].factor;
    }
    return 1;
}

bool cs_charts_number(double *out, bool *percent_out, struct cs_view text)
{
    char digits[32];
    size_t len = 0, i = 0;
    double value = 0, unit = 0;

    while (i < text.len && (text.ptr[i] < '0' || text.ptr[i] > '9'))
        i++;
    if (i == text.len || (i > 0 && text.ptr[i - 1] == '-'))
        return false;
    /* Digits with ".", "," or any kind of space or apostrophe between them. */
    for (; i < text.len && len < sizeof(digits); i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if ((c >= '0' && c <= '9') || c == '.' || c == ',')
            digits[len++] = (char)c;
        else if (c != ' ' && c != '\'' && c != '_' && c != 0xc2 && c != 0xa0 &&
                 c != 0xe2 && c != 0x80 && c != 0xaf && c != 0x89 && c != 0x99)
            break;
    }
    *percent_out = i < text.len && text.ptr[i] == '%';
    while (len > 0 && (digits[len - 1] == '.' || digits[len - 1] == ','))
        len--;
    for (size_t at = 0; at < len; at++) {
        if (digits[at] == '.' || digits[at] == ',') {
            if (is_decimal(digits, at, len))
                unit = 1;
            continue;
        }
        value = value * 10 + (digits[at] - '0');
        unit = unit > 0 ? unit * 10 : 0;
    }
    *out = (unit > 0 ? value / unit : value) * magnitude(cs_view_from(text, i));
    return isfinite(*out);
}

/* ---- the channels of a plan -------------------------------------------------- */

struct channel {
    const char *name;
    const char *money; /* as written, or "" */
    const char *part;  /* as written, or "" */
    const char *when;  /* as written, or "" */
    double budget, share;
    bool has_budget, has_share;
    struct cs_span span;
};

struct plan {
    struct channel channels[CS_CHART_ROWS];
    size_t count;
};

struct cs_chart *cs_chart_add(struct cs_section *section, struct cs_arena *arena,
                              enum cs_chart_kind kind, enum cs_label title,
                              const char *language)
{
    struct cs_chart *chart;

    if (section->charts == NULL)
        section->charts = cs_arena_alloc(arena, MAX_CHARTS, sizeof(*chart));
    if (section->charts == NULL || section->chart_count == MAX_CHARTS)
        return NULL;
    chart = &section->charts[section->chart_count];
    chart->kind = kind;
    chart->title = cs_label(language, title);
    chart->rows = cs_arena_alloc(arena, CS_CHART_ROWS, sizeof(*chart->rows));
    if (chart->rows == NULL)
        return NULL;
    section->chart_count++;
    return chart;
}

static const char *decimal_sign(const char *language)
{
    static const char *const with_point[] = {"en", "ja", "ko", "zh", "th", "he", "hi"};

    for (size_t i = 0; i < CS_COUNT(with_point); i++)
        if (strncmp(language, with_point[i], 2) == 0)
            return ".";
    return ",";
}

/* "25 %", "5.1 %", in French "5,1 %". */
static void add_percent(struct cs_buf *out, double share, const char *language)
{
    long tenths = lround(share * 1000);

    cs_buf_add_fmt(out, "%s%ld", out->len > 0 ? " · " : "", tenths / 10);
    if (tenths % 10 != 0)
        cs_buf_add_fmt(out, "%s%ld", decimal_sign(language), tenths % 10);
    cs_buf_add_cstr(out, " %");
}

/* Shares as given, or of the sum of the budgets; all of one kind, so that the
 * bars can be compared. */
static void add_shares(struct cs_section *section, struct cs_arena *arena,
                       const struct plan *plan, const char *language)
{
    struct cs_chart *chart;
    double sum = 0;
    bool by_share = true, by_budget = true;

    for (size_t i = 0; i < plan->count; i++) {
        by_share = by_share && plan->channels[i].has_share;
        by_budget = by_budget && plan->channels[i].has_budget;
        sum += plan->channels[i].budget;
    }
    if (plan->count < 2 || (!by_share && (!by_budget || sum <= 0)))
        return;
    chart =
        cs_chart_add(section, arena, CS_CHART_SHARES, CS_LABEL_BUDGET_SHARES, language);
    if (chart == NULL)
        return;
    for (size_t i = 0; i < plan->count; i++) {
        const struct channel *channel = &plan->channels[i];
        struct cs_buf text = CS_BUF_INIT(CELL_TEXT);
        double share = by_share ? channel->share : channel->budget / sum;

        cs_buf_add_cstr(&text, channel->money);
        if (channel->part[0] != '\0')
            cs_buf_add_fmt(&text, "%s%s", text.len > 0 ? " · " : "", channel->part);
        else
            add_percent(&text, share, language);
        chart->rows[chart->count++] = (struct cs_chart_row){
            .label = channel->name,
            .text = cs_arena_text(arena, cs_buf_view(&text)),
            .value = share > 1 ? 1 : share,
        };
        cs_buf_clear(&text);
    }
}

/* Days without a year go on from those of the rows before them: January comes after
 * December. Lengths follow each other. */
static void follow(struct cs_span *span, const struct cs_chart *chart)
{
    const struct cs_chart_row *rows = chart->rows;
    size_t count = chart->count;
    int64_t more = 0;

    if (count == 0)
        return;
    if (span->kind == CS_SPAN_LENGTH)
        more = rows[count - 1].end_day + 1;
    else if (span->kind == CS_SPAN_YEARLESS && span->first < rows[0].start_day - 183)
        more = 365;
    span->first += more;
    span->last += more;
}

/* The rows of one kind, that of the first one which says when it is. */
static void add_schedule(struct cs_section *section, struct cs_arena *arena,
                         const struct plan *plan, const char *language)
{
    enum cs_span_kind kind = CS_SPAN_NONE;
    struct cs_chart *chart = NULL;

    for (size_t i = 0; i < plan->count; i++) {
        const struct channel *channel = &plan->channels[i];
        struct cs_span span = channel->span;

        if (span.kind == CS_SPAN_NONE || (chart != NULL && span.kind != kind))
            continue;
        if (chart == NULL)
            chart = cs_chart_add(section, arena, CS_CHART_SCHEDULE, CS_LABEL_SCHEDULE,
                                 language);
        if (chart == NULL)
            return;
        kind = span.kind;
        chart->undated = kind != CS_SPAN_DATED;
        follow(&span, chart);
        chart->rows[chart->count++] = (struct cs_chart_row){
            .label = channel->name,
            .text = channel->when,
            .start_day = span.first,
            .end_day = span.last,
        };
    }
}

/* One channel as texts, wherever they come from. */
struct channel_texts {
    struct cs_view name, budget, share, start, end, span;
    enum cs_span_unit unit; /* of bare numbers in `span` */
    struct cs_view counted; /* what they count: "Weeks" */
};

static void read_share(struct channel *channel, struct cs_view text)
{
    bool percent;

    channel->has_share = cs_charts_number(&channel->share, &percent, text);
    if (!channel->has_share)
        return;
    /* 0.25 is a quarter, 25 and 25 % are as well. */
    if (percent || channel->share > 1)
        channel->share /= 100;
    channel->has_share = channel->share <= 1;
}

static bool is_total(struct cs_view name)
{
    static const char *const words[] = {"total",  "sum",   "summe",
                                        "gesamt", "somme", "suma"};

    for (size_t i = 0; i < CS_COUNT(words); i++) {
        struct cs_view word = cs_view_cstr(words[i]);

        if (cs_view_eq_nocase(cs_view_sub(name, 0, word.len), word))
            return true;
    }
    return name.len == 0;
}

/* When it is, from one text or from a start and an end. */
static void read_span(struct channel *channel, struct cs_arena *arena,
                      const struct channel_texts *texts)
{
    struct cs_span start = cs_span_of(texts->start, CS_UNIT_NONE);
    struct cs_span end = cs_span_of(texts->end, CS_UNIT_NONE);
    struct cs_buf when = CS_BUF_INIT(CELL_TEXT);

    channel->span = cs_span_of(texts->span, texts->unit);
    if (channel->span.kind != CS_SPAN_NONE) {
        if (texts->unit != CS_UNIT_NONE && texts->counted.len > 0)
            cs_buf_add_fmt(&when, "%.*s ", (int)texts->counted.len, texts->counted.ptr);
        cs_buf_add(&when, texts->span);
    } else if (start.kind != CS_SPAN_NONE && start.kind == end.kind &&
               start.kind != CS_SPAN_LENGTH) {
        channel->span = (struct cs_span){start.kind, start.first, end.last};
        if (start.kind == CS_SPAN_YEARLESS && end.last < start.first)
            channel->span.last += 365;
        cs_buf_add_fmt(&when, "%.*s – %.*s", (int)texts->start.len, texts->start.ptr,
                       (int)texts->end.len, texts->end.ptr);
    }
    if (channel->span.last < channel->span.first)
        channel->span.kind = CS_SPAN_NONE;
    channel->when = cs_arena_text(arena, cs_buf_view(&when));
    cs_buf_clear(&when);
}

static void add_channel(struct plan *plan, struct cs_arena *arena,
                        const struct channel_texts *texts)
{
    struct channel *channel = &plan->channels[plan->count];
    bool percent;

    if (plan->count == CS_CHART_ROWS || is_total(texts->name))
        return;
    *channel = (struct channel){
        .name = cs_arena_text(arena, texts->name), .money = "", .part = "", .when = ""};
    channel->has_budget = cs_charts_number(&channel->budget, &percent, texts->budget);
    if (channel->has_budget)
        channel->money = cs_arena_text(arena, texts->budget);
    read_share(channel, texts->share);
    if (channel->has_share && cs_view_find_byte(texts->share, '%') != SIZE_MAX)
        channel->part = cs_arena_text(arena, texts->share);
    read_span(channel, arena, texts);
    plan->count++;
}

/* ---- from JSON --------------------------------------------------------------- */

static struct cs_view scalar_text(const struct cs_json *object, const char *name)
{
    const struct cs_json *value = cs_json_get(object, name);
    struct cs_view text = cs_json_string(value);

    return text.ptr != NULL ? text : cs_json_number_text(value);
}

struct cs_view cs_chart_member(const struct cs_json *object, const char *const *names)
{
    struct cs_view text = cs_view_of(NULL, 0);

    for (; *names != NULL && text.ptr == NULL; names++)
        text = scalar_text(object, *names);
    return text;
}

struct cs_view cs_chart_line(struct cs_arena *arena, struct cs_view text)
{
    struct cs_buf line = CS_BUF_INIT(4096);
    const char *copy;

    cs_text_line(&line, cs_view_sub(text, 0, CELL_TEXT));
    copy = cs_arena_text(arena, cs_buf_view(&line));
    cs_buf_clear(&line);
    return cs_view_cstr(copy);
}

static void read_json_channels(struct plan *plan, struct cs_arena *arena,
                               const struct cs_json *list)
{
    static const char *const name[] = {"name",   "channel", "platform",
                                       "medium", "label",   NULL};
    static const char *const budget[] = {"budget_label", "budget", "amount",
                                         "cost",         "spend",  NULL};
    static const char *const share[] = {"share", "percentage", "percent", "allocation",
                                        NULL};
    static const char *const start[] = {"start", "start_date", "from", NULL};
    static const char *const end[] = {"end", "end_date", "to", "until", NULL};
    static const char *const span[] = {"dates",  "timing",   "when", "weeks",
                                       "period", "timeline", "week", NULL};

    for (size_t i = 0; i < cs_json_length(list) && i < CS_CHART_ROWS; i++) {
        const struct cs_json *item = cs_json_at(list, i);
        struct channel_texts texts = {
            .name = cs_chart_line(arena, cs_chart_member(item, name)),
            .budget = cs_chart_line(arena, cs_chart_member(item, budget)),
            .share = cs_chart_line(arena, cs_chart_member(item, share)),
            .start = cs_chart_line(arena, cs_chart_member(item, start)),
            .end = cs_chart_line(arena, cs_chart_member(item, end)),
            .span = cs_chart_line(arena, cs_chart_member(item, span)),
            .unit = cs_json_has(item, "weeks") || cs_json_has(item, "week")
                        ? CS_UNIT_WEEK
                        : CS_UNIT_NONE,
        };

        add_channel(plan, arena, &texts);
    }
}

/* The member that holds the channels: `channels`, or the first list of objects
 * that have a budget or a share. */
static const struct cs_json *channel_list(const struct cs_json *plan)
{
    const struct cs_json *list = cs_json_get(plan, "channels");
    struct cs_json_iter iter = {0};

    if (cs_json_type(list) == CS_JSON_ARRAY)
        return list;
    if (cs_json_type(plan) == CS_JSON_ARRAY)
        return plan;
    if (cs_json_type(plan) != CS_JSON_OBJECT)
        return NULL;
    while (cs_json_next(&iter, plan)) {
        const struct cs_json *first = cs_json_at(iter.value, 0);

        if (cs_json_type(iter.value) == CS_JSON_ARRAY &&
            (cs_json_has(first, "budget") || cs_json_has(first, "share")))
            return iter.value;
    }
    return NULL;
}

/* ---- from a table of Markdown ------------------------------------------------- */

enum column_role {
    COLUMN_NAME,
    COLUMN_BUDGET,
    COLUMN_SHARE,
    COLUMN_START,
    COLUMN_END,
    COLUMN_SPAN,
    ROLE_COUNT
};

static const struct {
    const char *word; /* the heading begins with it */
    enum column_role role;
} column_words[] = {
    {"channel", COLUMN_NAME},     {"canal", COLUMN_NAME},
    {"kanal", COLUMN_NAME},       {"platform", COLUMN_NAME},
    {"plateforme", COLUMN_NAME},  {"medium", COLUMN_NAME},
    {"media", COLUMN_NAME},       {"support", COLUMN_NAME},
    {"budget", COLUMN_BUDGET},    {"presupuesto", COLUMN_BUDGET},
    {"cost", COLUMN_BUDGET},      {"spend", COLUMN_BUDGET},
    {"amount", COLUMN_BUDGET},    {"montant", COLUMN_BUDGET},
    {"kosten", COLUMN_BUDGET},    {"allocation", COLUMN_BUDGET},
    {"share", COLUMN_SHARE},      {"part", COLUMN_SHARE},
    {"anteil", COLUMN_SHARE},     {"%", COLUMN_SHARE},
    {"percent", COLUMN_SHARE},    {"start", COLUMN_START},
    {"debut", COLUMN_START},      {"beginn", COLUMN_START},
    {"inicio", COLUMN_START},     {"end", COLUMN_END},
    {"fin", COLUMN_END},          {"ende", COLUMN_END},
    {"phase", COLUMN_NAME},       {"etape", COLUMN_NAME},
    {"etapa", COLUMN_NAME},       {"fase", COLUMN_NAME},
    {"milestone", COLUMN_NAME},   {"jalon", COLUMN_NAME},
    {"meilenstein", COLUMN_NAME}, {"activit", COLUMN_NAME},
    {"when", COLUMN_SPAN},        {"quand", COLUMN_SPAN},
    {"date", COLUMN_SPAN},        {"timing", COLUMN_SPAN},
    {"timeline", COLUMN_SPAN},    {"period", COLUMN_SPAN},
    {"zeitraum", COLUMN_SPAN},    {"fecha", COLUMN_SPAN},
    {"kanaal", COLUMN_NAME},      {"orcamento", COLUMN_BUDGET},
    {"custo", COLUMN_BUDGET},     {"parcela", COLUMN_SHARE},
    {"budzet", COLUMN_BUDGET},    {"koszt", COLUMN_BUDGET},
    {"aandeel", COLUMN_SHARE},    {"udzia", COLUMN_SHARE},
    {"inizio", COLUMN_START},     {"poczatek", COLUMN_START},
    {"begin", COLUMN_START},      {"koniec", COLUMN_END},
    {"einde", COLUMN_END},        {"termin", COLUMN_SPAN},
};

/* The same where a heading has letters that no slug keeps. */
static const struct {
    const char *start;
    enum column_role role;
} column_titles[] = {
    {"Канал", COLUMN_NAME},       {"Этап", COLUMN_NAME},     {"Бюджет", COLUMN_BUDGET},
    {"Стоимость", COLUMN_BUDGET}, {"Доля", COLUMN_SHARE},    {"Начало", COLUMN_START},
    {"Конец", COLUMN_END},        {"Дат", COLUMN_SPAN},      {"Период", COLUMN_SPAN},
    {"Сроки", COLUMN_SPAN},       {"渠道", COLUMN_NAME},     {"媒体", COLUMN_NAME},
    {"媒體", COLUMN_NAME},        {"管道", COLUMN_NAME},     {"チャネル", COLUMN_NAME},
    {"阶段", COLUMN_NAME},        {"階段", COLUMN_NAME},     {"フェーズ", COLUMN_NAME},
    {"预算", COLUMN_BUDGET},      {"預算", COLUMN_BUDGET},   {"予算", COLUMN_BUDGET},
    {"费用", COLUMN_BUDGET},      {"費用", COLUMN_BUDGET},   {"占比", COLUMN_SHARE},
    {"比例", COLUMN_SHARE},       {"割合", COLUMN_SHARE},    {"开始", COLUMN_START},
    {"開始", COLUMN_START},       {"结束", COLUMN_END},      {"結束", COLUMN_END},
    {"終了", COLUMN_END},         {"时间", COLUMN_SPAN},     {"時間", COLUMN_SPAN},
    {"期間", COLUMN_SPAN},        {"日期", COLUMN_SPAN},     {"日程", COLUMN_SPAN},
    {"채널", COLUMN_NAME},        {"매체", COLUMN_NAME},     {"단계", COLUMN_NAME},
    {"예산", COLUMN_BUDGET},      {"비율", COLUMN_SHARE},    {"비중", COLUMN_SHARE},
    {"시작", COLUMN_START},       {"종료", COLUMN_END},      {"기간", COLUMN_SPAN},
    {"일정", COLUMN_SPAN},        {"Kênh", COLUMN_NAME},     {"Ngân sách", COLUMN_BUDGET},
    {"Tỷ lệ", COLUMN_SHARE},      {"Bắt đầu", COLUMN_START}, {"Kết thúc", COLUMN_END},
    {"Thời gian", COLUMN_SPAN},   {"القناة", COLUMN_NAME},   {"الميزانية", COLUMN_BUDGET},
    {"الحصة", COLUMN_SHARE},      {"النسبة", COLUMN_SHARE},  {"البداية", COLUMN_START},
    {"النهاية", COLUMN_END},      {"المدة", COLUMN_SPAN},    {"ערוץ", COLUMN_NAME},
    {"תקציב", COLUMN_BUDGET},     {"חלק", COLUMN_SHARE},     {"התחלה", COLUMN_START},
    {"סיום", COLUMN_END},         {"תאריכ", COLUMN_SPAN},
};

struct table_columns {
    size_t at[ROLE_COUNT];  /* index of the column, SIZE_MAX where there is none */
    enum cs_span_unit unit; /* of bare numbers in the column of spans */
    struct cs_view counted; /* that column's heading */
};

struct cs_view cs_chart_cell(struct cs_arena *arena, cmark_node *cell)
{
    struct cs_buf text = CS_BUF_INIT(CELL_TEXT + 64);
    struct cs_view line;

    cs_markdown_plain(&text, cell, CELL_TEXT);
    line = cs_chart_line(arena, cs_buf_view(&text));
    cs_buf_clear(&text);
    return line;
}

static void read_header_cell(struct table_columns *columns, struct cs_view title,
                             size_t index)
{
    struct cs_buf slug = CS_BUF_INIT(128);

    cs_text_slug(&slug, title);
    if (cs_view_eq(title, CS_LIT("%")))
        cs_buf_add_byte(&slug, '%');
    for (size_t i = 0; i < CS_COUNT(column_words); i++) {
        enum column_role role = column_words[i].role;

        if (columns->at[role] == SIZE_MAX &&
            cs_view_starts(cs_buf_view(&slug), cs_view_cstr(column_words[i].word))) {
            columns->at[role] = index;
            break;
        }
    }
    cs_buf_clear(&slug);
    for (size_t i = 0; i < CS_COUNT(column_titles); i++) {
        enum column_role role = column_titles[i].role;

        if (columns->at[role] == SIZE_MAX &&
            cs_view_starts(title, cs_view_cstr(column_titles[i].start)))
            columns->at[role] = index;
    }
    if (columns->at[COLUMN_SPAN] == SIZE_MAX && cs_span_unit_of(title) != CS_UNIT_NONE) {
        columns->at[COLUMN_SPAN] = index;
        columns->unit = cs_span_unit_of(title);
        columns->counted = title;
    }
}

static bool read_header(struct table_columns *columns, struct cs_arena *arena,
                        cmark_node *row)
{
    size_t index = 0;

    for (size_t i = 0; i < ROLE_COUNT; i++)
        columns->at[i] = SIZE_MAX;
    columns->unit = CS_UNIT_NONE;
    if (row == NULL || !cmark_gfm_extensions_get_table_row_is_header(row))
        return false;
    for (cmark_node *cell = cmark_node_first_child(row);
         cell != NULL && index < CS_CHART_COLUMNS; cell = cmark_node_next(cell))
        read_header_cell(columns, cs_chart_cell(arena, cell), index++);
    return columns->at[COLUMN_NAME] != SIZE_MAX &&
           (columns->at[COLUMN_BUDGET] != SIZE_MAX ||
            columns->at[COLUMN_SHARE] != SIZE_MAX ||
            columns->at[COLUMN_START] != SIZE_MAX ||
            columns->at[COLUMN_SPAN] != SIZE_MAX);
}

static void read_row(struct plan *plan, struct cs_arena *arena, cmark_node *row,
                     const struct table_columns *columns)
{
    struct cs_view texts[ROLE_COUNT] = {{NULL, 0}};
    size_t index = 0;

    for (cmark_node *cell = cmark_node_first_child(row);
         cell != NULL && index < CS_CHART_COLUMNS; cell = cmark_node_next(cell), index++)
        for (size_t role = 0; role < ROLE_COUNT; role++)
            if (columns->at[role] == index)
                texts[role] = cs_chart_cell(arena, cell);
    add_channel(plan, arena,
                &(struct channel_texts){.name = texts[COLUMN_NAME],
                                        .budget = texts[COLUMN_BUDGET],
                                        .share = texts[COLUMN_SHARE],
                                        .start = texts[COLUMN_START],
                                        .end = texts[COLUMN_END],
                                        .span = texts[COLUMN_SPAN],
                                        .unit = columns->unit,
                                        .counted = columns->counted});
}

static void read_tables(struct plan *plan, struct cs_arena *arena, cmark_node *content)
{
    cmark_node *node = cmark_node_first_child(content);
    struct table_columns columns;

    for (; node != NULL && plan->count == 0; node = cmark_node_next(node)) {
        cmark_node *row;

        if (cmark_node_get_type(node) != CMARK_NODE_TABLE)
            continue;
        row = cmark_node_first_child(node);
        if (!read_header(&columns, arena, row))
            continue;
        while ((row = cmark_node_next(row)) != NULL && plan->count < CS_CHART_ROWS)
            read_row(plan, arena, row, &columns);
    }
}

void cs_charts_media(struct cs_section *section, struct cs_arena *arena,
                     const struct cs_json *plan_json, const char *language)
{
    struct plan plan = {.count = 0};
    const struct cs_json *list = channel_list(plan_json);

    if (list != NULL)
        read_json_channels(&plan, arena, list);
    else
        read_tables(&plan, arena, section->content);
    add_shares(section, arena, &plan, language);
    add_schedule(section, arena, &plan, language);
}

void cs_charts_phases(struct cs_section *section, struct cs_arena *arena,
                      const char *language)
{
    struct plan plan = {.count = 0};

    read_tables(&plan, arena, section->content);
    add_schedule(section, arena, &plan, language);
}

/* ---- durations ----------------------------------------------------------------- */

struct running_step {
    struct cs_view agent;
    int64_t started_us;
};

struct steps {
    struct running_step open[CS_CHART_ROWS];
    size_t count;
};

static void start_step(struct steps *steps, struct cs_view agent, int64_t time_us)
{
    if (steps->count < CS_CHART_ROWS)
        steps->open[steps->count++] = (struct running_step){agent, time_us};
}

static bool end_step(struct steps *steps, struct cs_view agent, int64_t time_us,
                     double *seconds)
{
    for (size_t i = steps->count; i-- > 0;) {
        if (!cs_view_eq(steps->open[i].agent, agent))
            continue;
        *seconds = (double)(time_us - steps->open[i].started_us) / (double)CS_SECOND_US;
        steps->open[i] = steps->open[--steps->count];
        return *seconds >= 0;
    }
    return false;
}

static void add_duration(struct cs_section *section, struct cs_arena *arena,
                         struct cs_chart **chart, struct cs_view agent, double seconds,
                         const char *language)
{
    struct cs_buf text = CS_BUF_INIT(256);

    if (*chart == NULL)
        *chart = cs_chart_add(section, arena, CS_CHART_DURATIONS, CS_LABEL_STEP_DURATIONS,
                              language);
    if (*chart == NULL || (*chart)->count == CS_CHART_ROWS)
        return;
    cs_buf_add_fmt(&text, "%.1f %s", seconds, cs_label(language, CS_LABEL_SECONDS));
    (*chart)->rows[(*chart)->count++] = (struct cs_chart_row){
        .label = cs_chart_line(arena, agent).ptr,
        .text = cs_arena_text(arena, cs_buf_view(&text)),
        .value = seconds,
    };
    cs_buf_clear(&text);
}

void cs_charts_durations(struct cs_section *section, struct cs_arena *arena,
                         const struct cs_json *interactions, const char *language)
{
    struct steps steps = {.count = 0};
    struct cs_chart *chart = NULL;

    if (cs_json_type(interactions) != CS_JSON_ARRAY)
        return;
    for (size_t i = 0; i < cs_json_length(interactions); i++) {
        const struct cs_json *event = cs_json_at(interactions, i);
        struct cs_view agent = cs_json_get_string(event, "agent");
        int64_t time_us;
        double seconds;

        if (agent.len == 0 ||
            cs_time_parse(&time_us, cs_json_get_string(event, "timestamp"), NULL) !=
                CS_OK)
            continue;
        if (cs_view_eq(cs_json_get_string(event, "action"), CS_LIT("started")))
            start_step(&steps, agent, time_us);
        else if (end_step(&steps, agent, time_us, &seconds))
            add_duration(section, arena, &chart, agent, seconds, language);
    }
}
