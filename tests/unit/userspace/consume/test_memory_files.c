// SPDX-License-Identifier: BSD-2-Clause
/* test_memory_files.c - processes, control groups of both versions and the host; what is gone, cut or nonsense. */
#include "userspace/consume/memory_files.h"

#include "tests/lib/check_main.h"
#include "tests/unit/userspace/consume/fake_host.h"

static struct fake_host host;
static struct tap_snapshot taken;
static char cgroup[FAKE_PATH_MAX];

static void add_thread(int32_t tgid, int32_t tid, uint32_t instance)
{
	struct tap_thread *threads = reallocarray(taken.threads, taken.n_threads + 1, sizeof(*threads));

	ck_assert_ptr_nonnull(threads);
	taken.threads = threads;
	threads[taken.n_threads++] = (struct tap_thread){ .tgid = tgid, .tid = tid, .instance = instance };
}

static void add_file(const char *folder, const char *name, const char *text)
{
	char path[FAKE_PATH_MAX];

	fake_folder(&host, folder);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fake_file(&host, path, text);
}

static void setup(void)
{
	fake_host_init(&host);
	fake_path(&host, cgroup, "%s", "cgroup");
	tap_snapshot_init(&taken);
}

static void teardown(void)
{
	tap_snapshot_done(&taken);
	fake_host_done(&host);
}

static void read_all(void)
{
	const struct tap_memory_roots roots = { host.proc, cgroup };

	ck_assert_int_eq(tap_memory_files_read(&roots, &taken), 0);
	ck_assert(taken.memory.read);
}

START_TEST(test_processes)
{
	add_thread(10, 10, 1);
	add_thread(20, 20, 2);
	add_thread(20, 21, 2);
	add_thread(30, 30, 2);
	add_thread(20, 31, 2);
	add_file("proc/10", "status",
		 "Name:\tpostgres\nVmSwap:\t     4 kB\nRssAnon:\t    2560 kB\nRssFile:\t 5616 kB\nRssShmem:\t 956 kB\n"
		 "VmPTE:\t 140 kB\n");
	add_file("proc/20", "status",
		 "Name:\tRssAnon: 9 kB\nRssAnon:\t-5 kB\nRssFile:\nRssShmem:\t99999999999999999999 kB\n");
	read_all();
	/* 30 is gone, 20 is one process, wherever its threads stand. */
	ck_assert_uint_eq(taken.memory.n_processes, 2);
	ck_assert_int_eq(taken.memory.processes[0].pid, 10);
	ck_assert_uint_eq(taken.memory.processes[0].instance, 1);
	ck_assert_int_eq(taken.memory.processes[0].anon, 2560 * 1024);
	ck_assert_int_eq(taken.memory.processes[0].file, 5616 * 1024);
	ck_assert_int_eq(taken.memory.processes[0].shared, 956 * 1024);
	ck_assert_int_eq(taken.memory.processes[0].swap, 4 * 1024);
	ck_assert_int_eq(taken.memory.processes[0].page_tables, 140 * 1024);
	ck_assert_int_eq(taken.memory.processes[1].anon, TAP_MEMORY_NONE);
	ck_assert_int_eq(taken.memory.processes[1].file, TAP_MEMORY_NONE);
	ck_assert_int_eq(taken.memory.processes[1].shared, TAP_MEMORY_NONE);
	ck_assert_int_eq(taken.memory.processes[1].swap, TAP_MEMORY_NONE);
}
END_TEST

START_TEST(test_groups_of_version_1)
{
	add_thread(10, 10, 1);
	add_thread(20, 20, 1);
	add_file("proc/10", "cgroup", "5:cpu,cpuacct:/a\n4:memory:/databases/one\n0::/\n");
	add_file("proc/20", "cgroup", "4:memory:/databases/one\n");
	add_file("cgroup/memory/databases/one", "memory.usage_in_bytes", "1000\n");
	add_file("cgroup/memory/databases/one", "memory.max_usage_in_bytes", "2000\n");
	add_file("cgroup/memory/databases/one", "memory.limit_in_bytes", "9223372036854771712\n");
	add_file("cgroup/memory/databases/one", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
	read_all();
	ck_assert_uint_eq(taken.memory.n_groups, 1);
	ck_assert_str_eq(taken.memory.groups[0].path, "/databases/one");
	ck_assert_int_eq(taken.memory.groups[0].current, 1000);
	ck_assert_int_eq(taken.memory.groups[0].most, 2000);
	ck_assert_int_eq(taken.memory.groups[0].limit, TAP_MEMORY_NONE);
	ck_assert_int_eq(taken.memory.groups[0].oom_kills, 3);
	ck_assert_ptr_nonnull(tap_memory_set_find_group(&taken.memory, "/databases/one"));
	ck_assert_ptr_null(tap_memory_set_find_group(&taken.memory, "/databases"));
}
END_TEST

START_TEST(test_groups_of_version_2)
{
	add_thread(10, 10, 1);
	add_thread(20, 20, 2);
	add_file("proc/10", "cgroup", "0::/system.slice/pg.service\n");
	add_file("proc/20", "cgroup", "0::/other");
	add_file("cgroup/system.slice/pg.service", "memory.current", "1000\n");
	add_file("cgroup/system.slice/pg.service", "memory.max", "4096\n");
	add_file("cgroup/system.slice/pg.service", "memory.events", "low 0\noom 2\noom_kill 1\noom_group_kill 0\n");
	add_file("cgroup/other", "memory.current", "7\n");
	add_file("cgroup/other", "memory.max", "max\n");
	read_all();
	ck_assert_uint_eq(taken.memory.n_groups, 2);
	ck_assert_int_eq(taken.memory.groups[0].limit, 4096);
	ck_assert_int_eq(taken.memory.groups[0].most, TAP_MEMORY_NONE);
	ck_assert_int_eq(taken.memory.groups[0].oom_kills, 1);
	ck_assert_str_eq(taken.memory.groups[1].path, "/other");
	ck_assert_int_eq(taken.memory.groups[1].limit, TAP_MEMORY_NONE);
	ck_assert_int_eq(taken.memory.groups[1].oom_kills, TAP_MEMORY_NONE);
}
END_TEST

START_TEST(test_groups_that_cannot_be_had)
{
	static const char *const texts[] = { "",     "4:memory\n",	"memory:/a\n",	    "0::/hidden\n",
					     "0:\n", "0::/../../etc\n", "4:memory:/../..\n" };

	add_file("cgroup", "memory.current", "1\n");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char folder[32];

		add_thread(10 + (int32_t)i, 10 + (int32_t)i, 1);
		snprintf(folder, sizeof(folder), "proc/%zu", 10 + i);
		add_file(folder, "cgroup", texts[i]);
	}
	read_all();
	ck_assert_uint_eq(taken.memory.n_groups, 0);
}
END_TEST

START_TEST(test_host)
{
	add_file("proc", "meminfo",
		 "MemTotal:       24682416 kB\nMemFree: 1 kB\nMemAvailable:   22000000 kB\nSwapTotal: 0 kB\nSwapFree: "
		 "0 kB\n");
	add_file(
		"proc/pressure", "memory",
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=1500\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=20\n");
	read_all();
	ck_assert_int_eq(taken.memory.host.total, 24682416ll * 1024);
	ck_assert_int_eq(taken.memory.host.available, 22000000ll * 1024);
	ck_assert_int_eq(taken.memory.host.swap_total, 0);
	ck_assert_int_eq(taken.memory.host.some_stall_ns, 1500000);
	ck_assert_int_eq(taken.memory.host.full_stall_ns, 20000);
}
END_TEST

START_TEST(test_a_host_that_tells_nothing)
{
	read_all();
	ck_assert_int_eq(taken.memory.host.total, TAP_MEMORY_NONE);
	ck_assert_int_eq(taken.memory.host.some_stall_ns, TAP_MEMORY_NONE);
	ck_assert_uint_eq(taken.memory.n_processes, 0);
	ck_assert_uint_eq(taken.memory.n_groups, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("consume/memory_files");
	TCase *tcase = tcase_create("memory_files");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_processes);
	tcase_add_test(tcase, test_groups_of_version_1);
	tcase_add_test(tcase, test_groups_of_version_2);
	tcase_add_test(tcase, test_groups_that_cannot_be_had);
	tcase_add_test(tcase, test_host);
	tcase_add_test(tcase, test_a_host_that_tells_nothing);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
