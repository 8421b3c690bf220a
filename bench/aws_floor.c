/* bench/aws_floor.c: what one HTTP exchange costs at the least: curl_easy_perform()
 * on a warm handle, with headers and body that were made before.
 *
 *     aws_floor URL HEADERS-FILE BODY-FILE [CA-FILE]
 *
 * Does one exchange for each line on its standard input, and answers with a line when
 * it is done. So it can be run in turn with what it is compared to: in a loop of its
 * own it would have the processor's caches for itself. At the end it prints the
 * processor time of one, user and system, in nanoseconds. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t take(char *bytes, size_t size, size_t count, void *payload)
{
    (void)bytes;
    *(size_t *)payload += size * count;
    return size * count;
}

static void must(int holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "aws_floor: %s\n", what);
    exit(1);
}

static char *read_all(const char *name)
{
    FILE *file = fopen(name, "rb");
    char *text = calloc(1, 1u << 20);

    must(file != NULL && text != NULL, name);
    (void)fread(text, 1, (1u << 20) - 1, file);
    must(fclose(file) == 0, name);
    return text;
}

static struct curl_slist *header_list(char *lines)
{
    struct curl_slist *list = NULL;

    for (char *rest = lines, *line; (line = strsep(&rest, "\n")) != NULL;)
        if (*line != '\0')
            must((list = curl_slist_append(list, line)) != NULL, "no memory");
    return list;
}

static double processor_ns(void)
{
    struct timespec now;

    must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0, "no clock");
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void perform(CURL *easy)
{
    must(curl_easy_perform(easy) == CURLE_OK, "no answer");
}

int main(int argc, char **argv)
{
    CURL *easy = curl_easy_init();
    char line[16];
    size_t got = 0;
    double spent = 0;
    long count = 0;

    must((argc == 4 || argc == 5) && easy != NULL,
         "URL HEADERS-FILE BODY-FILE [CA-FILE]");
    must(curl_easy_setopt(easy, CURLOPT_URL, argv[1]) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_list(read_all(argv[2]))) ==
                 CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_POSTFIELDS, read_all(argv[3])) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_WRITEDATA, &got) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
             (argc == 4 || curl_easy_setopt(easy, CURLOPT_CAINFO, argv[4]) == CURLE_OK),
         "an option is refused");
    for (int i = 0; i < 20; i++)
        perform(easy);
    for (; fgets(line, sizeof(line), stdin) != NULL; count++) {
        double before = processor_ns();

        perform(easy);
        spent += processor_ns() - before;
        (void)puts("done");
        (void)fflush(stdout);
    }
    must(got > 0 && count > 0, "nothing was done");
    (void)printf("%.0f\n", spent / (double)count);
    curl_easy_cleanup(easy);
    return 0;
}
