/*
 * What a process has used so far.
 */
#include "demo/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

double usage_cpu_s(void)
{
        struct rusage usage;

        getrusage(RUSAGE_SELF, &usage);
        return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

uint64_t usage_peak_rss_bytes(void)
{
        FILE *status = fopen("/proc/self/status", "re");
        char line[256];
        uint64_t kib = 0;

        while (status && fgets(line, sizeof line, status))
                if (strncmp(line, "VmHWM:", 6) == 0)
                        kib = strtoull(line + 6, NULL, 10);
        if (status)
                fclose(status);
        return kib * 1024;
}
