/*
 * The main function of a fuzz target in ordinary runs: hands it every file of its corpus, each in a process of its own,
 * and reports in TAP 13. With -Dfuzz=true the same target is linked with libFuzzer instead, which looks for new inputs.
 *
 *         replay_x CORPUS_FOLDER
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_MAX = 60, INPUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_input(const struct dirent *entry)
{
        return entry->d_name[0] != '.';
}

static void replay(const char *path)
{
        alarm(SECONDS_MAX);
        FILE *file = fopen(path, "re");
        uint8_t *data = malloc(INPUT_MAX);
        if (!file || !data) {
                perror(path);
                exit(EXIT_FAILURE);
        }
        const size_t n = fread(data, 1, INPUT_MAX, file);
        fclose(file);

        /* An exact copy, so that a sanitizer sees a read past the end. */
        uint8_t *exact = malloc(n ? n : 1);
        if (!exact)
                exit(EXIT_FAILURE);
        memcpy(exact, data, n);
        free(data);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
        exit(EXIT_SUCCESS);
}

static int replay_in_child(const char *path)
{
        fflush(NULL);
        const pid_t pid = fork();
        if (pid == 0)
                replay(path);
        int status = -1;
        return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

int main(int argc, char **argv)
{
        struct dirent **entries = NULL;
        const int n = argc == 2 ? scandir(argv[1], &entries, is_input, alphasort) : -1;
        if (n <= 0) {
                fprintf(stderr, "usage: %s FOLDER (that holds at least one file)\n", argv[0]);
                return EXIT_FAILURE;
        }

        int failed = 0;
        printf("TAP version 13\n1..%d\n", n);
        for (int i = 0; i < n; i++) {
                char path[4096];
                snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
                const int status = replay_in_child(path);
                failed += status != 0;
                printf("%s %d - %s\n", status == 0 ? "ok" : "not ok", i + 1, entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
