/* Renders a folder with brief.json, final_state.json and, where they are there,
 * interactions.json and progress.json, with the worker's own code:
 *
 *   render_example SHARE-DIR FOLDER [WEBSITE.html [REPORT.pdf]]
 *
 * For pictures, measuring and looking at a theme. Without names of files it
 * renders both and prints their sizes. */
#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "render/render.h"

#define MAX_FILE   (64u << 20)
#define TIME_LIMIT 60000

static enum cs_code read_part(struct cs_buf *out, const char *folder, const char *name,
                              bool needed, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(4096);
    struct cs_err fault = CS_ERR_NONE;
    enum cs_code code;

    cs_buf_init(out, MAX_FILE);
    cs_buf_add_fmt(&path, "%s/%s", folder, name);
    code = cs_file_read(out, cs_buf_cstr(&path), MAX_FILE, &fault);
    cs_buf_clear(&path);
    if (code == CS_ENOTFOUND && !needed)
        return CS_OK;
    if (code != CS_OK)
        (void)cs_err_set(err, code, "%s: %s", name, fault.text);
    return code;
}

static enum cs_code save(int fd, uint64_t size, const char *path, struct cs_err *err)
{
    struct cs_buf bytes = CS_BUF_INIT(SIZE_MAX / 4);
    char *room = cs_buf_room(&bytes, size);
    enum cs_code code = CS_OK;

    if (room == NULL || pread(fd, room, size, 0) != (ssize_t)size)
        code = cs_err_set(err, CS_EIO, "the rendering can't be read back");
    else
        cs_buf_grew(&bytes, size);
    if (code == CS_OK)
        code = cs_file_write(path, cs_buf_view(&bytes), 0644, err);
    cs_buf_clear(&bytes);
    return code;
}

static enum cs_code render(const char *share, const struct cs_render_input *input,
                           struct cs_render_output *output, struct cs_err *err)
{
    const struct cs_renderer_options options = {
        .share_dir = share,
        .page_size = "A4",
        .cpu_limit_s = TIME_LIMIT / 1000,
        .memory_limit_mib = 1024,
    };
    struct cs_renderer *renderer = cs_renderer_new(&options, err);
    enum cs_code code;

    if (renderer == NULL)
        return err->code;
    code = cs_render(renderer, input, output, cs_deadline_in_ms(TIME_LIMIT), err);
    cs_renderer_free(renderer);
    return code;
}

int main(int argc, char **argv)
{
    struct cs_buf brief = CS_BUF_INIT(0), state = CS_BUF_INIT(0);
    struct cs_buf interactions = CS_BUF_INIT(0), progress = CS_BUF_INIT(0);
    struct cs_render_output output = {.website_fd = -1, .pdf_fd = -1};
    struct cs_err err = CS_ERR_NONE;
    struct cs_render_input input = {
        .campaign_id = CS_LIT("campaign_20241201_120000_000001"),
        .status = CS_LIT("completed"),
        .created_at = CS_LIT("2024-12-01T12:00:00.000000Z"),
        .completed_at = CS_LIT("2024-12-01T12:14:00.000000Z"),
        .want_website = true,
        .want_pdf = argc != 4,
    };
    enum cs_code code;

    if (argc < 3 || argc > 5) {
        fputs("usage: render_example SHARE-DIR FOLDER [WEBSITE.html [REPORT.pdf]]\n",
              stderr);
        return 2;
    }
    code = read_part(&brief, argv[2], "brief.json", true, &err);
    code =
        code != CS_OK ? code : read_part(&state, argv[2], "final_state.json", true, &err);
    code = code != CS_OK
               ? code
               : read_part(&interactions, argv[2], "interactions.json", false, &err);
    code = code != CS_OK ? code
                         : read_part(&progress, argv[2], "progress.json", false, &err);
    if (code == CS_OK) {
        input.brief = cs_buf_view(&brief);
        input.state = cs_buf_view(&state);
        input.interactions = cs_buf_view(&interactions);
        input.progress = cs_buf_view(&progress);
        code = render(argv[1], &input, &output, &err);
    }
    if (code == CS_OK && argc > 3)
        code = save(output.website_fd, output.website_size, argv[3], &err);
    if (code == CS_OK && argc > 4)
        code = save(output.pdf_fd, output.pdf_size, argv[4], &err);
    if (code != CS_OK)
        fprintf(stderr, "render_example: %s: %s\n", cs_code_name(code), err.text);
    else
        printf("website %llu bytes%s%s%s, PDF %llu bytes, %u pages, %u characters "
               "without a font\n",
               (unsigned long long)output.website_size,
               output.website_supplied ? " (the generator's own)" : "",
               output.website_note[0] != '\0' ? "; " : "", output.website_note,
               (unsigned long long)output.pdf_size, output.pages, output.missing_glyphs);
    cs_render_output_clear(&output);
    cs_buf_clear(&brief);
    cs_buf_clear(&state);
    cs_buf_clear(&interactions);
    cs_buf_clear(&progress);
    return code == CS_OK ? 0 : 1;
}
