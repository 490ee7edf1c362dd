// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_tracer.c - userspace/load/tracer over a libbpf that refuses: what is said, and that nothing stays attached. The
 * programs are opened as they are and never loaded, so no root is needed; that they work is what the live tests show.
 */
#include "userspace/load/tracer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

enum {
	NEVER = 1000,
};

/* What is asked of the kernel; each one's countdown says which call fails, with which errno. */
struct refusal {
	int after;
	int with;
	int calls;
};

static struct {
	struct refusal load, load_block, attach, iterator, iterate, update, uprobe, timer, timer_link;
	int links; /* alive */
	uint64_t link[1];
} bpf;

/* False: refused, errno is set. */
static bool passes(struct refusal *refusal)
{
	if (++refusal->calls < refusal->after)
		return true;
	errno = refusal->with;
	return false;
}

static struct bpf_link *link_make(struct refusal *refusal)
{
	if (!passes(refusal))
		return NULL;
	bpf.links++;
	return (struct bpf_link *)bpf.link;
}

/* Two threads load: each part has its own countdown. */
int bpf_object__load_skeleton(struct bpf_object_skeleton *skeleton)
{
	const struct bpf_program *last = bpf_object__find_program_by_name(*skeleton->obj, "on_block_rq_complete");

	return passes(bpf_program__autoload(last) ? &bpf.load_block : &bpf.load) ? 0 : -errno;
}

int bpf_map__reuse_fd(struct bpf_map *map, int fd)
{
	(void)map;
	(void)fd;
	return 0;
}

struct bpf_link *bpf_program__attach(const struct bpf_program *program)
{
	(void)program;
	return link_make(&bpf.attach);
}

struct bpf_link *bpf_program__attach_raw_tracepoint(const struct bpf_program *program, const char *tp_name)
{
	(void)program;
	(void)tp_name;
	return link_make(&bpf.attach);
}

struct bpf_link *bpf_program__attach_iter(const struct bpf_program *program, const struct bpf_iter_attach_opts *opts)
{
	(void)program;
	(void)opts;
	return link_make(&bpf.iterator);
}

struct bpf_link *bpf_program__attach_perf_event(const struct bpf_program *program, int fd)
{
	(void)program;
	/* The link owns it from here on. */
	if (bpf.timer_link.calls + 1 < bpf.timer_link.after)
		close(fd);
	return link_make(&bpf.timer_link);
}

struct bpf_link *bpf_program__attach_uprobe(const struct bpf_program *program, bool retprobe, pid_t pid,
					    const char *binary_path, size_t func_offset)
{
	(void)program;
	(void)retprobe;
	(void)pid;
	(void)binary_path;
	(void)func_offset;
	return link_make(&bpf.uprobe);
}

int bpf_link__destroy(struct bpf_link *link)
{
	bpf.links -= link != NULL;
	return 0;
}

int bpf_link__fd(const struct bpf_link *link)
{
	(void)link;
	return -1;
}

int bpf_iter_create(int link_fd)
{
	(void)link_fd;
	return passes(&bpf.iterate) ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	(void)fd;
	(void)key;
	(void)value;
	(void)flags;
	return passes(&bpf.update) ? 0 : -1;
}

long syscall(long number, ...)
{
	static long (*real)(long, ...);
	va_list list;
	long a[6];

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_perf_event_open)
		return passes(&bpf.timer) ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static struct tap_tracer *tracer;
static struct tap_error err;
static const struct tap_tracer_options options;

static void set_up(void)
{
	struct refusal none = { .after = NEVER };

	memset(&bpf, 0, sizeof(bpf));
	bpf.load = bpf.load_block = bpf.attach = bpf.iterator = bpf.iterate = bpf.update = bpf.uprobe = none;
	bpf.timer = bpf.timer_link = none;
	err = (struct tap_error){ "" };
	ck_assert_msg(!tap_tracer_open(&options, &tracer, &err), "%s", err.text);
}

static void tear_down(void)
{
	tap_tracer_free(tracer);
	ck_assert_int_eq(bpf.links, 0);
}

static void assert_says(const char *words)
{
	ck_assert_msg(strstr(err.text, words), "\"%s\" is not in \"%s\"", words, err.text);
}

/* --- loading --- */

static struct tap_tracer *other;

START_TEST(test_load_not_allowed)
{
	bpf.load = (struct refusal){ 1, EPERM, 0 };
	ck_assert_int_eq(tap_tracer_open(&options, &other, &err), -EPERM);
	assert_says("run dbtap as root");
	ck_assert_int_eq(bpf.load.calls, 1);
}
END_TEST

START_TEST(test_load_refused)
{
	bpf.load = (struct refusal){ 1, EINVAL, 0 };
	ck_assert_int_eq(tap_tracer_open(&options, &other, &err), -EINVAL);
	assert_says("`dbtap doctor` tells what it lacks");
	ck_assert_int_eq(bpf.load.calls, 1);
	/* The maps are made, and the programs are refused. */
	bpf.load = (struct refusal){ 2, E2BIG, 0 };
	ck_assert_int_eq(tap_tracer_open(&options, &other, &err), -E2BIG);
	ck_assert_int_eq(bpf.load.calls, 2);
}
END_TEST

START_TEST(test_block_programs_refused)
{
	if (!tap_tracer_has_io(tracer))
		return;
	bpf.load_block = (struct refusal){ 1, EINVAL, 0 };
	ck_assert_msg(!tap_tracer_open(&options, &other, &err), "%s", err.text);
	ck_assert(!tap_tracer_has_io(other));
	ck_assert_ptr_nonnull(strstr(tap_tracer_io_missing(other), "refused"));
	tap_tracer_free(other);
	/* Loaded, and what they go on to cannot be told. */
	bpf.load_block = (struct refusal){ NEVER, 0, 0 };
	bpf.update = (struct refusal){ 1, EINVAL, 0 };
	ck_assert_int_eq(tap_tracer_open(&options, &other, &err), 0);
	ck_assert(!tap_tracer_has_io(other));
	tap_tracer_free(other);
}
END_TEST

/* Not asked for, or refused: what needs them says so. */
START_TEST(test_without_block_programs)
{
	struct tap_tracer_options without = { .without_io = true };

	ck_assert_int_eq(tap_tracer_open(&without, &other, &err), 0);
	ck_assert(!tap_tracer_has_io(other));
	ck_assert_ptr_nonnull(tap_tracer_io_missing(other));
	ck_assert_int_eq(tap_tracer_watch_disk(other, 8 << 20, &err), -EOPNOTSUPP);
	assert_says("block requests cannot be traced");
	ck_assert_int_eq(tap_tracer_watch_device(other, 8 << 20, &err), -EOPNOTSUPP);
	tap_tracer_free(other);
}
END_TEST

START_TEST(test_no_memory)
{
	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_tracer_open(&options, &other, &err), -ENOMEM);
	tap_alloc_fail_at(0);
	tap_tracer_free(NULL);
}
END_TEST

/* --- attaching: whichever part fails, none of it stays --- */

START_TEST(test_attach)
{
	int all;

	ck_assert_msg(!tap_tracer_attach(tracer, &err), "%s", err.text);
	all = bpf.links;
	ck_assert_int_ge(all, 3 + 1);
	tap_tracer_detach(tracer);
	ck_assert_int_eq(bpf.links, 0);
	ck_assert_int_eq(tap_tracer_attach(tracer, &err), 0);
	ck_assert_int_eq(bpf.links, all);
}
END_TEST

START_TEST(test_attach_refused)
{
	bpf.attach = (struct refusal){ _i + 1, EBUSY, 0 };
	ck_assert_int_eq(tap_tracer_attach(tracer, &err), -EBUSY);
	assert_says("cannot attach on_sched_");
	ck_assert_int_eq(bpf.links, 0);
}
END_TEST

START_TEST(test_timer_refused)
{
	bpf.timer = (struct refusal){ 1, EACCES, 0 };
	ck_assert_int_eq(tap_tracer_attach(tracer, &err), -EACCES);
	assert_says("cannot start a timer on CPU 0");
	ck_assert_int_eq(bpf.links, 0);
	bpf.timer = (struct refusal){ NEVER, 0, 0 };
	bpf.timer_link = (struct refusal){ 1, EINVAL, 0 };
	ck_assert_int_eq(tap_tracer_attach(tracer, &err), -EINVAL);
	assert_says("cannot attach the timer of CPU 0");
	ck_assert_int_eq(bpf.links, 0);
}
END_TEST

/* CPUs that are off have no timer, and that is no failure. */
START_TEST(test_no_cpu_on)
{
	bpf.timer = (struct refusal){ 1, ENODEV, 0 };
	ck_assert_int_eq(tap_tracer_attach(tracer, &err), 0);
	ck_assert_int_eq(bpf.timer_link.calls, 0);
}
END_TEST

START_TEST(test_empty_refused)
{
	bpf.attach = (struct refusal){ 1, EINVAL, 0 };
	ck_assert_int_eq(tap_tracer_attach_empty(tracer, &err), -EINVAL);
	assert_says("cannot attach empty_sched_switch");
}
END_TEST

/* --- instances and threads --- */

START_TEST(test_instances)
{
	static const struct tap_instance instance;

	ck_assert_int_eq(tap_tracer_set_instance(tracer, TAP_INSTANCES_MAX, &instance, &err), -E2BIG);
	assert_says("name one with --instance");
	ck_assert_int_eq(tap_tracer_set_instance(tracer, TAP_INSTANCES_MAX - 1, &instance, &err), 0);
	for (int nth = 1; nth <= 5; nth++) {
		bpf.update = (struct refusal){ nth, E2BIG, 0 };
		ck_assert_int_eq(tap_tracer_set_instance(tracer, 0, &instance, &err), -E2BIG);
		assert_says("cannot tell the kernel side of an instance");
	}
}
END_TEST

START_TEST(test_adoption)
{
	static const struct tap_adoption adoption;

	ck_assert_int_eq(tap_tracer_stage(tracer, 1, &adoption), 0);
	ck_assert_int_eq(tap_tracer_adopt(tracer, &err), 0);
	bpf.iterate = (struct refusal){ 1, EMFILE, 0 };
	ck_assert_int_eq(tap_tracer_adopt(tracer, &err), -EMFILE);
	assert_says("cannot iterate over the host's threads");
	ck_assert_int_eq(tap_tracer_snapshot_fd(tracer, 1), -EMFILE);
	bpf.update = (struct refusal){ 1, ENOSPC, 0 };
	ck_assert_int_eq(tap_tracer_stage(tracer, 1, &adoption), -ENOSPC);
	tear_down();
	set_up();
	bpf.iterator = (struct refusal){ 1, ENOENT, 0 };
	ck_assert_int_eq(tap_tracer_adopt(tracer, &err), -ENOENT);
	ck_assert_int_eq(tap_tracer_snapshot_fd(tracer, 1), -ENOENT);
}
END_TEST

/* The switch program says what the time is; one that does not run says nothing. */
START_TEST(test_silent_switch_program)
{
	struct tap_clock_pair clock;

	ck_assert_int_eq(tap_tracer_sync_clock(tracer, &err), -EIO);
	assert_says("the context switch program does not run");
	tap_tracer_clock(tracer, &clock);
	ck_assert(!clock.sched_ns && !clock.monotonic_ns);
	bpf.update = (struct refusal){ 1, E2BIG, 0 };
	ck_assert_int_eq(tap_tracer_sync_clock(tracer, &err), -E2BIG);
}
END_TEST

/* --- the probe --- */

START_TEST(test_probes)
{
	ck_assert(!tap_tracer_has_calls(tracer));
	ck_assert_int_eq(tap_tracer_attach_calls(tracer, TAP_POINT_END, "/nowhere/postgres", 16, &err), -ENOENT);
	assert_says("cannot probe /nowhere/postgres");
	ck_assert_int_eq(tap_tracer_attach_calls(tracer, TAP_POINT_END, "/proc/self/exe", 16, &err), 0);
	ck_assert_int_eq(tap_tracer_attach_calls(tracer, TAP_POINT_END, "/proc/self/exe", 16, &err), 0);
	ck_assert_int_eq(bpf.links, 1);
	ck_assert(tap_tracer_has_calls(tracer));
	bpf.uprobe = (struct refusal){ 1, EACCES, 0 };
	ck_assert_int_eq(tap_tracer_attach_calls(tracer, TAP_POINT_END, "/proc/self/exe", 32, &err), -EACCES);
	assert_says("cannot probe /proc/self/exe: Permission denied");
	ck_assert_int_eq(tap_tracer_attach_trap(tracer, "/proc/self/exe", 32), -EACCES);
	bpf.uprobe = (struct refusal){ NEVER, 0, 0 };
	for (uint64_t offset = 100; offset < 100 + 2 * TAP_INSTANCES_MAX - 1; offset++)
		ck_assert_int_eq(tap_tracer_attach_calls(tracer, TAP_POINT_END, "/proc/self/exe", offset, &err), 0);
	ck_assert_int_eq(tap_tracer_attach_calls(tracer, TAP_POINT_END, "/proc/self/exe", 99, &err), -E2BIG);
	assert_says("binaries to probe");
	tap_tracer_detach_calls(tracer);
	ck_assert(!tap_tracer_has_calls(tracer));
	ck_assert_int_eq(bpf.links, 0);
}
END_TEST

/* Programs that are not loaded have no statistics. */
START_TEST(test_no_statistics)
{
	struct tap_tracer_program program;
	uint64_t runs = 7, ns = 7;

	ck_assert_int_lt(tap_tracer_stats(tracer, &runs, &ns), 0);
	ck_assert_int_lt(tap_tracer_stats_switch(tracer, &runs, &ns), 0);
	ck_assert_int_lt(tap_tracer_stats_empty(tracer, &runs, &ns), 0);
	ck_assert(runs == 7 && ns == 7);
	ck_assert_int_eq(tap_tracer_program_stats(tracer, 1000, &program), -ENOENT);
	ck_assert_int_eq(tap_tracer_map_fd(tracer, (enum tap_tracer_map)1000), -EINVAL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("load/tracer");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_load_not_allowed);
	tcase_add_test(tests, test_load_refused);
	tcase_add_test(tests, test_block_programs_refused);
	tcase_add_test(tests, test_without_block_programs);
	tcase_add_test(tests, test_no_memory);
	tcase_add_test(tests, test_attach);
	tcase_add_loop_test(tests, test_attach_refused, 0, 3);
	tcase_add_test(tests, test_timer_refused);
	tcase_add_test(tests, test_no_cpu_on);
	tcase_add_test(tests, test_empty_refused);
	tcase_add_test(tests, test_instances);
	tcase_add_test(tests, test_adoption);
	tcase_add_test(tests, test_silent_switch_program);
	tcase_add_test(tests, test_probes);
	tcase_add_test(tests, test_no_statistics);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
