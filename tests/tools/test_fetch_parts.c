/*
 * The parts of `plait fetch` that need no server: names, URLs, lists, queues, the journal, percentiles, back-off.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/backlog.h"
#include "fetch/folder.h"
#include "fetch/histogram.h"
#include "fetch/journal.h"
#include "fetch/list.h"
#include "fetch/name.h"
#include "fetch/retry.h"
#include "fetch/url.h"
#include "harness/test.h"

static char folder_path[] = "/tmp/plait-test-XXXXXX";

static struct folder *make_folder(void)
{
        static struct folder folder;

        CHECK(mkdtemp(folder_path) != NULL);
        CHECK_INT(folder_open(&folder, folder_path), ==, 0);
        return &folder;
}

static void remove_folder(struct folder *folder)
{
        char command[128];

        folder_close(folder);
        snprintf(command, sizeof command, "rm -rf %s", folder_path);
        CHECK_INT(system(command), ==, 0);
}

/* Names. */

static const char *name_of(const char *url)
{
        static char name[NAME_SIZE];

        name_of_url(url, name);
        return name;
}

/* The name without its sum. */
static const char *shape_of(const char *url)
{
        static char shape[NAME_SIZE];
        const char *name = name_of(url);
        const char *dash = strrchr(name, '-');

        snprintf(shape, sizeof shape, "%.*s-*%s", (int)(dash - name), name, dash + 17);
        return shape;
}

TEST(name_keeps_the_last_segment_and_its_extension)
{
        CHECK_STR(shape_of("http://example.org/a/photo.jpg"), "photo-*.jpg");
        CHECK_STR(shape_of("http://example.org/a/photo.jpg?size=2#top"), "photo-*.jpg");
        CHECK_STR(shape_of("http://example.org/a/b/"), "b-*");
        CHECK_STR(shape_of("http://example.org/src.tar.gz"), "src-*.tar.gz");
        CHECK_STR(shape_of("http://example.org/na%C3%AFve%20file.txt"), "na\xC3\xAFve_file-*.txt");
}

TEST(name_of_a_bare_host_is_the_host)
{
        CHECK_STR(shape_of("http://example.org"), "example.org-*");
        CHECK_STR(shape_of("http://example.org/"), "example.org-*");
        CHECK_STR(shape_of("http://example.org?q=/x/y.gif"), "example.org-*");
        CHECK_STR(shape_of("http://user:secret@example.org:80/"), "example.org_80-*");
}

TEST(name_depends_on_the_whole_url_and_on_nothing_else)
{
        char first[NAME_SIZE];

        name_of_url("http://example.org/a.html", first);
        CHECK_STR(name_of("http://example.org/a.html"), first);
        CHECK(strcmp(name_of("https://example.org/a.html"), first) != 0);
        CHECK(strcmp(name_of("http://example.net/a.html"), first) != 0);
        CHECK(strcmp(name_of("http://example.org/b/a.html"), first) != 0);
        CHECK(strcmp(name_of("http://example.org/a.html?"), first) != 0);
}

static void check_harmless(const char *url)
{
        const char *name = name_of(url);

        if (!*name || strlen(name) >= NAME_SIZE || strchr(name, '/') || *name == '.' || *name == '-')
                test_fail(__FILE__, __LINE__, "%s gives %s", url, name);
        for (const char *p = name; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7F || *p == '\\')
                        test_fail(__FILE__, __LINE__, "%s gives a name with %d in it", url, *p);
}

TEST(name_is_harmless_whatever_the_url_says)
{
        static const char *const urls[] = {
                "http://h/..",
                "http://h/../../etc/passwd",
                "http://h/%2e%2e",
                "http://h/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
                "http://h/..%2f..%2fx",
                "http://h/%2fetc%2fpasswd",
                "http://h/a%00b",
                "http://h/%0a%0d%1b%5b31m",
                "http://h/-rf",
                "http://h/.bashrc",
                "http://h/.plait-fetch.journal",
                "http://h/%ff%fe%80",
                "http://h/%e2%80%ae%e2%80%8b",
                "http://h/a\\..\\b",
                "http://h/%",
                "http://h/%2",
                "http://h/%zz",
                "http://h//",
                "http://",
                "http://h/....",
                "http://h/.",
                "http://h/%c2%85",
                "",
                "/",
                "nonsense",
        };

        for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
                check_harmless(urls[i]);
}

TEST(name_is_harmless_for_random_bytes)
{
        unsigned seed = 20261121;

        for (int round = 0; round < 200000; round++) {
                char url[64] = "http://h/";
                for (size_t i = 9; i < sizeof url - 1; i++) {
                        seed = seed * 1664525 + 1013904223;
                        /* NOLINTNEXTLINE(misc-misleading-bidirectional): such bytes are what is tried */
                        static const char some[] = "./%2eE5cC0aA\\-~\xC3\xA9\xE2\x80\xAE\xFFz";
                        url[i] = (seed >> 28) ? some[(seed >> 8) % (sizeof some - 1)] : 0;
                }
                check_harmless(url);
        }
}

TEST(name_of_an_endless_segment_is_cut_and_keeps_its_extension)
{
        char url[5000] = "http://h/";
        char other[5000];

        memset(url + 9, 'a', sizeof url - 10);
        memcpy(url + 900, ".html", 6);
        CHECK_UINT(strlen(name_of(url)), <=, 130);
        CHECK_STR(name_of(url) + strlen(name_of(url)) - 5, ".html");
        memcpy(other, url, sizeof url);
        other[800] = 'b';
        char name[NAME_SIZE];
        name_of_url(other, name);
        CHECK(strcmp(name, name_of(url)) != 0);
}

/* URLs. */

TEST(url_gives_its_host_and_port)
{
        char host[URL_HOST_SIZE];

        CHECK(url_check("http://Example.ORG/x", host) == NULL);
        CHECK_STR(host, "example.org:80");
        CHECK(url_check("https://u:p@example.org/x", host) == NULL);
        CHECK_STR(host, "example.org:443");
        CHECK(url_check("http://[::1]:8080", host) == NULL);
        CHECK_STR(host, "[::1]:8080");
}

TEST(url_that_is_none_is_refused_with_a_reason)
{
        static const char *const urls[] = {"",
                                           "example.org",
                                           "ftp://example.org/",
                                           "file:///etc/passwd",
                                           "http://",
                                           "http:///x",
                                           "http://h:99999/",
                                           "http://h:x/",
                                           "http://a b/",
                                           "http://h/a b",
                                           "http://[::1/",
                                           "http://h/\x01",
                                           "javascript:alert(1)"};
        char host[URL_HOST_SIZE];

        for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
                if (!url_check(urls[i], host))
                        test_fail(__FILE__, __LINE__, "'%s' is taken for a URL", urls[i]);
}

/* Lists. */

static struct list list;

static void open_list(const char *text, size_t bytes)
{
        char path[] = "/tmp/plait-list-XXXXXX";
        static char *none[] = {NULL};
        int fd = mkstemp(path);

        CHECK(fd >= 0);
        CHECK_INT(write(fd, text, bytes), ==, (ssize_t)bytes);
        close(fd);
        CHECK_INT(list_open(&list, none, path), ==, 0);
        unlink(path);
}

TEST(list_passes_over_blanks_and_comments_and_counts_lines)
{
        static const char text[] = "\xEF\xBB\xBF# list\r\n\r\n  http://a/ \r\nhttp://b/#part\n\n#x\n\thttp://c/";
        struct list_entry entry;

        open_list(text, sizeof text - 1);
        CHECK_UINT(list_estimate(&list), ==, 7);
        CHECK_INT(list_next(&list, &entry), ==, 1);
        CHECK_STR(entry.url, "http://a/");
        CHECK_UINT(entry.line, ==, 3);
        CHECK_INT(list_next(&list, &entry), ==, 1);
        CHECK_STR(entry.url, "http://b/#part");
        CHECK_INT(list_next(&list, &entry), ==, 1);
        CHECK_STR(entry.url, "http://c/");
        CHECK_UINT(entry.line, ==, 7);
        CHECK_INT(list_next(&list, &entry), ==, 0);
        CHECK_UINT(list.passed, ==, 4);
        list_close(&list);
}

TEST(list_cuts_endless_lines_and_goes_on_behind_them)
{
        static const char end[] = {'\n', 'h', 't', 't', 'p', ':', '/', '/', 'a', '/'};
        size_t bytes = 300000;
        char *text = malloc(bytes);
        struct list_entry entry;

        CHECK(text);
        memset(text, 'x', bytes);
        memcpy(text + bytes - sizeof end, end, sizeof end);
        open_list(text, bytes);
        CHECK_INT(list_next(&list, &entry), ==, 1);
        CHECK(entry.cut);
        CHECK_INT(list_next(&list, &entry), ==, 1);
        CHECK(!entry.cut);
        CHECK_STR(entry.url, "http://a/");
        CHECK_UINT(entry.line, ==, 2);
        list_close(&list);
        free(text);
}

TEST(list_turns_a_nul_into_a_character_that_is_refused)
{
        struct list_entry entry;
        char host[URL_HOST_SIZE];

        open_list("http://a/\0b\n", 12);
        CHECK_INT(list_next(&list, &entry), ==, 1);
        CHECK(url_check(entry.url, host) != NULL);
        list_close(&list);
}

/* Queues. */

TEST(backlog_gives_back_in_order_what_does_not_fit_into_memory)
{
        struct spill spill = SPILL_INIT;
        struct backlog queues[3] = {0};
        unsigned pushed[3] = {0};
        unsigned popped[3] = {0};
        unsigned seed = 7;
        char item[BACKLOG_CHUNK];

        for (unsigned round = 0; round < 300000; round++) {
                seed = seed * 1664525 + 1013904223;
                unsigned q = (seed >> 8) % 3;
                if ((seed >> 16) % 5 < (round < 150000 ? 4 : 1)) {
                        int bytes = snprintf(item, sizeof item, "%u/%u/%0*d", q, pushed[q]++, (int)(seed >> 20) % 200,
                                             0);
                        CHECK_INT(backlog_push(&queues[q], &spill, item, (size_t)bytes + 1), ==, 0);
                } else {
                        int r = backlog_pop(&queues[q], &spill, item);
                        if (r == -ENODATA) {
                                CHECK_UINT(popped[q], ==, pushed[q]);
                                continue;
                        }
                        unsigned of = 0;
                        unsigned number = 0;
                        CHECK(sscanf(item, "%u/%u/", &of, &number) == 2);
                        CHECK_UINT(of, ==, q);
                        CHECK_UINT(number, ==, popped[q]++);
                        CHECK_UINT(strlen(item) + 1, ==, r);
                }
                CHECK_UINT(queues[q].count, ==, pushed[q] - popped[q]);
        }
        CHECK(spill.slots > 10); /* it was put to use */
        for (int q = 0; q < 3; q++)
                backlog_done(&queues[q]);
        spill_done(&spill);
}

TEST(backlog_refuses_what_is_too_large)
{
        struct spill spill = SPILL_INIT;
        struct backlog queue = {0};
        static char item[BACKLOG_CHUNK + 1];

        CHECK_INT(backlog_push(&queue, &spill, item, sizeof item), ==, -EMSGSIZE);
        CHECK_INT(backlog_pop(&queue, &spill, item), ==, -ENODATA);
}

/* The journal. */

static void save(struct folder *folder, const char *name, const char *text)
{
        char temp[TEMP_SIZE];
        int fd = folder_create(folder, temp);

        CHECK(fd >= 0);
        CHECK_INT(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
        close(fd);
        CHECK_INT(folder_commit(folder, temp, name), ==, 0);
}

static void note(struct journal *journal, const char *url, uint64_t bytes)
{
        struct journal_entry entry = {.status = 200, .bytes = bytes};

        CHECK_INT(journal_add(journal, url, name_of(url), &entry), ==, 0);
        CHECK_INT(journal_flush(journal), ==, 0);
}

static bool finds(struct journal *journal, const char *url)
{
        struct journal_entry entry;
        char name[NAME_SIZE];

        name_of_url(url, name);
        return journal_find(journal, url, name, &entry);
}

TEST(folder_links_a_file_without_a_name_also_in_place_of_another)
{
        struct folder *folder = make_folder();
        char text[8] = "";

        for (int round = 0; round < 2; round++) {
                int fd = folder_create_unnamed(folder);

                if (fd < 0)
                        SKIP("the file system has no files without a name");
                CHECK_INT(write(fd, round ? "two" : "one", 3), ==, 3);
                CHECK_INT(folder_link(folder, fd, "name"), ==, 0);
                close(fd);
        }
        int fd = openat(folder->fd, "name", O_RDONLY | O_CLOEXEC);
        CHECK_INT(read(fd, text, sizeof text), ==, 3);
        CHECK_STR(text, "two");
        close(fd);
        remove_folder(folder);
}

TEST(journal_finds_what_was_saved_and_is_still_there)
{
        struct folder *folder = make_folder();
        struct journal journal = JOURNAL_INIT;

        CHECK_INT(journal_open(&journal, folder, true), ==, 0);
        CHECK(!finds(&journal, "http://h/1"));
        save(folder, name_of("http://h/1"), "one");
        note(&journal, "http://h/1", 3);
        save(folder, name_of("http://h/2"), "other size");
        note(&journal, "http://h/2", 3);
        note(&journal, "http://h/3", 3); /* there is no such file */
        journal_close(&journal);

        CHECK_INT(journal_open(&journal, folder, true), ==, 0);
        CHECK(finds(&journal, "http://h/1"));
        CHECK(!finds(&journal, "http://h/2"));
        CHECK(!finds(&journal, "http://h/3"));
        CHECK(!finds(&journal, "http://h/4"));
        CHECK_INT(unlinkat(folder->fd, name_of("http://h/1"), 0), ==, 0);
        CHECK_INT(symlinkat("/etc/hostname", folder->fd, name_of("http://h/1")), ==, 0);
        CHECK(!finds(&journal, "http://h/1"));
        journal_close(&journal);
        remove_folder(folder);
}

TEST(journal_ignores_torn_and_damaged_lines)
{
        struct folder *folder = make_folder();
        struct journal journal = JOURNAL_INIT;
        char text[4096];

        CHECK_INT(journal_open(&journal, folder, true), ==, 0);
        for (int i = 0; i < 4; i++) {
                char url[32];
                snprintf(url, sizeof url, "http://h/%d", i);
                save(folder, name_of(url), "four");
                note(&journal, url, 4);
        }
        journal_close(&journal);

        /* Damage the second line, and tear the last one. */
        int fd = openat(folder->fd, JOURNAL_NAME, O_RDWR);
        ssize_t bytes = read(fd, text, sizeof text);
        char *second = (char *)memchr(text, '\n', (size_t)bytes) + 1;
        CHECK_INT(pwrite(fd, "X", 1, second - text + 30), ==, 1);
        CHECK_INT(ftruncate(fd, bytes - 5), ==, 0);
        close(fd);

        CHECK_INT(journal_open(&journal, folder, true), ==, 0);
        CHECK(finds(&journal, "http://h/0"));
        CHECK(!finds(&journal, "http://h/1"));
        CHECK(finds(&journal, "http://h/2"));
        CHECK(!finds(&journal, "http://h/3"));
        note(&journal, "http://h/3", 4); /* behind the torn line, but not part of it */
        note(&journal, "http://h/1", 4);
        journal_close(&journal);

        CHECK_INT(journal_open(&journal, folder, true), ==, 0);
        CHECK(finds(&journal, "http://h/1"));
        CHECK(finds(&journal, "http://h/3"));
        journal_close(&journal);
        remove_folder(folder);
}

/* Cut after every single byte: what is found is a prefix of what was noted, and never anything else. */
TEST(journal_survives_a_cut_anywhere, .timeout_ms = 120000)
{
        struct folder *folder = make_folder();
        struct journal journal = JOURNAL_INIT;
        struct stat st;
        char url[32];

        CHECK_INT(journal_open(&journal, folder, true), ==, 0);
        for (int i = 0; i < 5; i++) {
                snprintf(url, sizeof url, "http://h/%d", i);
                save(folder, name_of(url), "four");
                note(&journal, url, 4);
        }
        CHECK_INT(fstat(journal.fd, &st), ==, 0);
        journal_close(&journal);
        for (off_t size = st.st_size; size >= 0; size--) {
                int fd = openat(folder->fd, JOURNAL_NAME, O_RDWR);
                CHECK_INT(ftruncate(fd, size), ==, 0);
                close(fd);
                CHECK_INT(journal_open(&journal, folder, true), ==, 0);
                bool before = true;
                for (int i = 0; i < 5; i++) {
                        snprintf(url, sizeof url, "http://h/%d", i);
                        bool found = finds(&journal, url);
                        CHECK(!found || before);
                        before = found;
                }
                journal_close(&journal);
        }
        remove_folder(folder);
}

TEST(journal_removes_what_a_killed_run_left_unless_another_runs)
{
        struct folder *folder = make_folder();
        struct journal first = JOURNAL_INIT;
        struct journal second = JOURNAL_INIT;
        char temp[TEMP_SIZE];
        struct stat st;

        CHECK_INT(journal_open(&first, folder, false), ==, 0);
        int fd = folder_create(folder, temp);
        close(fd);
        CHECK_INT(journal_open(&second, folder, false), ==, 0);
        CHECK_INT(fstatat(folder->fd, temp, &st, 0), ==, 0);
        journal_close(&first);
        journal_close(&second);
        CHECK_INT(journal_open(&first, folder, false), ==, 0);
        CHECK_INT(fstatat(folder->fd, temp, &st, 0), ==, -1);
        journal_close(&first);
        remove_folder(folder);
}

TEST(journal_is_not_written_through_a_link)
{
        struct folder *folder = make_folder();
        struct journal journal = JOURNAL_INIT;

        CHECK_INT(symlinkat("/tmp/plait-test-elsewhere", folder->fd, JOURNAL_NAME), ==, 0);
        CHECK_INT(journal_open(&journal, folder, false), ==, -ELOOP);
        remove_folder(folder);
}

/* Percentiles. */

TEST(histogram_is_right_within_a_percent)
{
        static struct histogram histogram;

        CHECK(histogram_percentile(&histogram, 50) <= 0);
        for (int64_t i = 1; i <= 1000000; i++)
                histogram_add(&histogram, i * 1000);
        static const double percents[] = {1, 50, 90, 99, 100};
        for (size_t i = 0; i < 5; i++) {
                double right = percents[i] / 100;
                double got = histogram_percentile(&histogram, percents[i]);
                if (got < right * 0.99 || got > right * 1.01)
                        test_fail(__FILE__, __LINE__, "p%g is %g, not %g", percents[i], got, right);
        }
}

TEST(histogram_takes_any_duration)
{
        static struct histogram histogram;

        histogram_add(&histogram, -1);
        histogram_add(&histogram, 0);
        histogram_add(&histogram, INT64_MAX);
        CHECK_UINT(histogram.count, ==, 3);
        CHECK(histogram_percentile(&histogram, 10) <= 0);
        CHECK(histogram_percentile(&histogram, 100) > 100000);
}

/* Back-off. */

TEST(retry_waits_longer_each_time_up_to_the_cap)
{
        uint64_t seed = 1;
        int64_t longest[12] = {0};

        for (unsigned attempt = 1; attempt < 12; attempt++)
                for (int i = 0; i < 20000; i++) {
                        int64_t wait = retry_wait_ns(attempt, 0, &seed);
                        CHECK_INT(wait, >=, 0);
                        if (wait > longest[attempt])
                                longest[attempt] = wait;
                }
        for (unsigned attempt = 1; attempt < 12; attempt++) {
                int64_t most = RETRY_BASE_NS << (attempt - 1);
                most = most > RETRY_CAP_NS ? RETRY_CAP_NS : most;
                CHECK_INT(longest[attempt], <=, most);
                CHECK_INT(longest[attempt], >, most / 100 * 99);
        }
}

TEST(retry_waits_as_long_as_the_server_asks_up_to_the_cap)
{
        uint64_t seed = 1;

        for (int i = 0; i < 1000; i++) {
                CHECK_INT(retry_wait_ns(1, 7000000000, &seed), >=, 7000000000);
                CHECK_INT(retry_wait_ns(1, 7000000000, &seed), <=, 7250000000);
                CHECK_INT(retry_wait_ns(1, INT64_MAX, &seed), <=, RETRY_AFTER_CAP_NS + RETRY_BASE_NS);
        }
}

TEST(retry_is_for_what_may_pass)
{
        static const int pass[] = {408, 425, 429, 500, 502, 503, 504};
        static const int stay[] = {301, 400, 401, 403, 404, 410, 501, 505};
        struct plait_response response = PLAIT_RESPONSE_INIT;

        for (size_t i = 0; i < sizeof pass / sizeof *pass; i++) {
                response.status = pass[i];
                CHECK(retry_is_useful(&response));
        }
        for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) {
                response.status = stay[i];
                CHECK(!retry_is_useful(&response));
        }
        response.problem = PLAIT_HTTP_TRUNCATED;
        CHECK(retry_is_useful(&response));
        response.problem = PLAIT_HTTP_CERTIFICATE_NAME;
        CHECK(!retry_is_useful(&response));
        response.problem = PLAIT_HTTP_NAME_NOT_FOUND;
        CHECK(!retry_is_useful(&response));
        response.problem = PLAIT_HTTP_REFUSED;
        CHECK(retry_is_useful(&response));
}
