/* How many CPUs a process may use, in made-up trees of /proc and /sys. */
#include "harness/test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plat/sys.h"

static char root[] = "/tmp/plait-cpus-XXXXXX";

static void put(const char *path, const char *text)
{
        char full[512];
        FILE *file;

        snprintf(full, sizeof(full), "%s%s", root, path);
        for (char *slash = strchr(full + sizeof(root), '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                mkdir(full, 0700);
                *slash = '/';
        }
        file = fopen(full, "we");
        CHECK(file != NULL);
        CHECK_INT(fputs(text, file), >=, 0);
        CHECK_INT(fclose(file), ==, 0);
}

static void set_up(const char *mountinfo, const char *cgroup)
{
        CHECK(mkdtemp(root) != NULL);
        put("/proc/self/mountinfo", mountinfo);
        put("/proc/self/cgroup", cgroup);
}

static int quota_then_clean_up(void)
{
        char command[64];
        int r = pl_plat_cpu_quota(root);

        snprintf(command, sizeof(command), "rm -r %s", root);
        CHECK_INT(system(command), ==, 0);
        return r;
}

#define V2_MOUNT "29 22 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

TEST(real_count_is_within_the_affinity)
{
        cpu_set_t set;

        CHECK_SYS(sched_getaffinity(0, sizeof(set), &set));
        CHECK_INT(pl_plat_cpu_count(), >=, 1);
        CHECK_INT(pl_plat_cpu_count(), <=, CPU_COUNT(&set));
}

TEST(no_cgroup_means_no_limit)
{
        set_up("", "");
        CHECK_INT(quota_then_clean_up(), ==, 0);
}

TEST(missing_files_mean_no_limit)
{
        CHECK_INT(pl_plat_cpu_quota("/nonexistent"), ==, 0);
}

TEST(v2_quota_is_rounded_up)
{
        set_up(V2_MOUNT, "0::/app\n");
        put("/sys/fs/cgroup/app/cpu.max", "250000 100000\n");
        CHECK_INT(quota_then_clean_up(), ==, 3);
}

TEST(v2_max_means_no_limit)
{
        set_up(V2_MOUNT, "0::/app\n");
        put("/sys/fs/cgroup/app/cpu.max", "max 100000\n");
        CHECK_INT(quota_then_clean_up(), ==, 0);
}

TEST(smallest_limit_of_the_ancestors_holds)
{
        set_up(V2_MOUNT, "0::/a/b/c\n");
        put("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
        put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
        put("/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
        CHECK_INT(quota_then_clean_up(), ==, 2);
}

TEST(limit_at_the_mount_point_holds)
{
        set_up(V2_MOUNT, "0::/\n"); /* a container with a cgroup namespace */
        put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
        CHECK_INT(quota_then_clean_up(), ==, 1);
}

TEST(v1_quota_counts)
{
        set_up("31 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
               "32 24 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n",
               "5:cpuset:/no\n4:cpu,cpuacct:/svc\n0::/unified\n");
        put("/sys/fs/cgroup/cpu,cpuacct/svc/cpu.cfs_quota_us", "150000\n");
        put("/sys/fs/cgroup/cpu,cpuacct/svc/cpu.cfs_period_us", "50000\n");
        CHECK_INT(quota_then_clean_up(), ==, 3);
}

TEST(v1_without_quota_means_no_limit)
{
        set_up("31 24 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "4:cpu:/svc\n");
        put("/sys/fs/cgroup/cpu/svc/cpu.cfs_quota_us", "-1\n");
        put("/sys/fs/cgroup/cpu/svc/cpu.cfs_period_us", "100000\n");
        CHECK_INT(quota_then_clean_up(), ==, 0);
}

TEST(path_is_relative_to_the_root_of_the_mount)
{
        set_up("31 24 0:28 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n", "4:cpu:/docker/abc/sub\n");
        put("/sys/fs/cgroup/cpu/sub/cpu.cfs_quota_us", "400000\n");
        put("/sys/fs/cgroup/cpu/sub/cpu.cfs_period_us", "100000\n");
        CHECK_INT(quota_then_clean_up(), ==, 4);
}

TEST(process_outside_of_the_mount_is_looked_up_at_the_mount_point)
{
        set_up("31 24 0:28 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n", "4:cpu:/docker/abcdef\n");
        put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
        put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
        CHECK_INT(quota_then_clean_up(), ==, 3);
}

TEST(smaller_of_v1_and_v2_holds_and_blanks_in_paths_work)
{
        set_up("30 24 0:27 / /sys/fs/cgroup\\040x/unified rw shared:9 - cgroup2 cgroup2 rw\n"
               "31 24 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
               "4:cpu:/svc\n0::/svc\n");
        put("/sys/fs/cgroup x/unified/svc/cpu.max", "600000 100000\n");
        put("/sys/fs/cgroup/cpu/svc/cpu.cfs_quota_us", "700000\n");
        put("/sys/fs/cgroup/cpu/svc/cpu.cfs_period_us", "100000\n");
        CHECK_INT(quota_then_clean_up(), ==, 6);
}

TEST(garbage_means_no_limit)
{
        set_up("nonsense\n - cgroup2\n1 2 3 - cgroup2 x y\n" V2_MOUNT, "\n:\n::\n0::/app\n");
        put("/sys/fs/cgroup/app/cpu.max", "100000\n");
        CHECK_INT(quota_then_clean_up(), ==, 0);
}
