// SPDX-License-Identifier: BSD-2-Clause
/* test_proc.c - /proc/PID files, real and made up: hostile names, vanished processes, trees, namespaces, deleted files.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_proc.h"
#include "userspace/attach/proc.h"

static struct fake_proc fake;

static void setup(void)
{
	fake_proc_init(&fake);
}

static void teardown(void)
{
	tap_alloc_fail_at(0);
	fake_proc_done(&fake);
}

static void add(int pid, int ppid, char state)
{
	fake_proc_add(&fake, &(struct fake_process){ .pid = pid, .ppid = ppid, .state = state });
}

START_TEST(test_reads_itself)
{
	struct tap_proc proc;
	int32_t ns_pid;

	ck_assert_int_eq(tap_proc_read("/proc", getpid(), &proc), 0);
	ck_assert_int_eq(proc.pid, getpid());
	ck_assert_int_eq(proc.ppid, getppid());
	ck_assert_uint_gt(proc.start_ticks, 0);
	ck_assert(proc.state == 'R' || proc.state == 'S');
	ck_assert_int_eq(tap_proc_ns_pid("/proc", getpid(), &ns_pid), 0);
	ck_assert_int_eq(ns_pid, getpid());
	ck_assert(tap_proc_shares_paths("/proc", getpid()));
}
END_TEST

START_TEST(test_comm_may_hold_anything)
{
	struct tap_proc proc;

	fake_proc_add(&fake, &(struct fake_process){ .pid = 7, .ppid = 3, .start = 99, .comm = "a) R 1 (b\n) S" });
	ck_assert_int_eq(tap_proc_read(fake.root, 7, &proc), 0);
	ck_assert_str_eq(proc.comm, "a) R 1 (b\n) S");
	ck_assert_int_eq(proc.ppid, 3);
	ck_assert_uint_eq(proc.start_ticks, 99);
	fake_proc_add(&fake, &(struct fake_process){ .pid = 8,
						     .comm = "kworker/u4:2-a-very-long-name-of-a-kernel-thread-"
							     "that-does-not-fit-anywhere" });
	ck_assert_int_eq(tap_proc_read(fake.root, 8, &proc), 0);
	ck_assert_uint_eq(strlen(proc.comm), TAP_PROC_COMM_MAX - 1);
}
END_TEST

START_TEST(test_broken_stat)
{
	static const char *const texts[] = {
		"",
		"7",
		"7 (x",
		"7 x) S 1",
		"7 )x(",
		"7 (x) S 1",
		"x (x) S 1 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 5 6",
		"7 (x)",
		"9 (x) S 1 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 5 6",
	};
	struct tap_proc proc = { .pid = 42 };

	add(7, 1, 'S');
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		fake_proc_write(&fake, 7, "stat", texts[i], 0);
		ck_assert_int_eq(tap_proc_read(fake.root, 7, &proc), -EBADMSG);
		ck_assert_int_eq(proc.pid, 42);
	}
}
END_TEST

START_TEST(test_gone_is_gone)
{
	char path[TAP_PROC_PATH_MAX], title[16];
	struct tap_file_id id;
	struct tap_proc proc;
	int32_t ns_pid;
	int fd;

	ck_assert_int_eq(tap_proc_read(fake.root, 5, &proc), -ESRCH);
	ck_assert_int_eq(tap_proc_ns_pid(fake.root, 5, &ns_pid), -ESRCH);
	ck_assert_int_eq(tap_proc_title(fake.root, 5, title, sizeof(title)), -ESRCH);
	ck_assert_int_eq(tap_proc_exe_path(fake.root, 5, path, NULL), -ESRCH);
	ck_assert_int_eq(tap_proc_exe_link(fake.root, 5, path), -ESRCH);
	ck_assert_int_eq(tap_proc_exe_id(fake.root, 5, &id), -ESRCH);
	ck_assert_int_eq(tap_proc_exe_open(fake.root, 5, &fd), -ESRCH);
	ck_assert(!tap_proc_shares_paths(fake.root, 5));
}
END_TEST

START_TEST(test_root_too_long)
{
	char root[TAP_PROC_PATH_MAX + 10], path[TAP_PROC_PATH_MAX];
	struct tap_file_id id;
	struct tap_proc proc;
	int fd;

	memset(root, 'x', sizeof(root) - 1);
	root[sizeof(root) - 1] = '\0';
	ck_assert_int_eq(tap_proc_read(root, 5, &proc), -ENAMETOOLONG);
	ck_assert_int_eq(tap_proc_exe_link(root, 5, path), -ENAMETOOLONG);
	ck_assert_int_eq(tap_proc_exe_id(root, 5, &id), -ENAMETOOLONG);
	ck_assert_int_eq(tap_proc_exe_open(root, 5, &fd), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_list_is_sorted_and_skips_the_rest)
{
	char path[PATH_MAX];
	struct tap_proc *list;
	size_t count;

	add(300, 1, 'S');
	add(4, 1, 'S');
	add(1, 0, 'S');
	fake_proc_write(&fake, 4, "stat", "nonsense", 0);
	snprintf(path, sizeof(path), "%s/self", fake.root);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/12x", fake.root);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/77", fake.root);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(tap_proc_list(fake.root, &list, &count), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(list[0].pid, 1);
	ck_assert_int_eq(list[1].pid, 300);
	ck_assert_ptr_eq(tap_proc_find(list, count, 300), &list[1]);
	ck_assert_ptr_null(tap_proc_find(list, count, 4));
	ck_assert_ptr_null(tap_proc_find(NULL, 0, 4));
	free(list);
}
END_TEST

START_TEST(test_list_of_nothing)
{
	struct tap_proc *list;
	size_t count;

	ck_assert_int_eq(tap_proc_list(fake.root, &list, &count), 0);
	ck_assert_uint_eq(count, 0);
	free(list);
	ck_assert_int_eq(tap_proc_list("/nonexistent", &list, &count), -ENOENT);
}
END_TEST

START_TEST(test_the_real_list_has_us)
{
	const struct tap_proc *self;
	struct tap_proc *list;
	size_t count;

	ck_assert_int_eq(tap_proc_list("/proc", &list, &count), 0);
	self = tap_proc_find(list, count, getpid());
	ck_assert_ptr_nonnull(self);
	ck_assert_int_eq(self->ppid, getppid());
	free(list);
}
END_TEST

static void check_tree(const struct tap_proc *list, size_t count, int top, const int *pids, size_t n_pids)
{
	struct tap_proc *tree;
	size_t n_tree;

	ck_assert_int_eq(tap_proc_tree(list, count, top, &tree, &n_tree), 0);
	ck_assert_uint_eq(n_tree, n_pids);
	for (size_t i = 0; i < n_pids; i++)
		ck_assert_int_eq(tree[i].pid, pids[i]);
	free(tree);
}

START_TEST(test_tree)
{
	struct tap_proc *list, *tree;
	size_t count, n_tree;

	add(1, 0, 'S');
	add(10, 1, 'S');
	add(5, 10, 'S'); /* a pid below its parent's */
	add(11, 10, 'Z');
	add(12, 10, 'R');
	add(6, 12, 'S');
	add(20, 1, 'S');
	add(21, 20, 'S');
	ck_assert_int_eq(tap_proc_list(fake.root, &list, &count), 0);
	check_tree(list, count, 10, (const int[]){ 10, 5, 12, 6 }, 4);
	check_tree(list, count, 21, (const int[]){ 21 }, 1);
	ck_assert_int_eq(tap_proc_tree(list, count, 99, &tree, &n_tree), -ESRCH);
	free(list);
}
END_TEST

START_TEST(test_tree_with_a_circle_ends)
{
	const struct tap_proc list[] = {
		{ .pid = 2, .ppid = 3, .state = 'S' },
		{ .pid = 3, .ppid = 2, .state = 'S' },
		{ .pid = 4, .ppid = 4, .state = 'S' },
	};
	struct tap_proc *tree;
	size_t count;

	ck_assert_int_eq(tap_proc_tree(list, 3, 2, &tree, &count), 0);
	ck_assert_uint_le(count, 4);
	free(tree);
	ck_assert_int_eq(tap_proc_tree(list, 3, 4, &tree, &count), 0);
	ck_assert_uint_eq(count, 1);
	free(tree);
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct tap_proc *list, *tree;
	size_t count, n_tree;

	for (int pid = 1; pid < 300; pid++)
		add(pid, pid > 1, 'S');
	for (long n = 1;; n++) {
		int err;

		tap_alloc_fail_at(n);
		err = tap_proc_list(fake.root, &list, &count);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
	}
	tap_alloc_fail_at(0);
	for (long n = 1;; n++) {
		int err;

		tap_alloc_fail_at(n);
		err = tap_proc_tree(list, count, 1, &tree, &n_tree);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
	}
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(n_tree, 299);
	free(list);
	free(tree);
}
END_TEST

START_TEST(test_ns_pid_is_the_innermost)
{
	int32_t ns_pid = 42;

	fake_proc_add(&fake, &(struct fake_process){ .pid = 700, .ns_pid = 3 });
	ck_assert_int_eq(tap_proc_ns_pid(fake.root, 700, &ns_pid), 0);
	ck_assert_int_eq(ns_pid, 3);
	fake_proc_write(&fake, 700, "status", "Name:\tNSpid:\t5\n", 0);
	ck_assert_int_eq(tap_proc_ns_pid(fake.root, 700, &ns_pid), -EBADMSG);
	fake_proc_write(&fake, 700, "status", "x\nNSpid:\n", 0);
	ck_assert_int_eq(tap_proc_ns_pid(fake.root, 700, &ns_pid), -EBADMSG);
	fake_proc_write(&fake, 700, "status", "x\nNSpid:\t99999999999999\n", 0);
	ck_assert_int_eq(tap_proc_ns_pid(fake.root, 700, &ns_pid), -EBADMSG);
	ck_assert_int_eq(ns_pid, 3);
}
END_TEST

START_TEST(test_title_ends_at_its_first_nul_or_the_buffer)
{
	char title[16];

	add(7, 1, 'S');
	fake_proc_write(&fake, 7, "cmdline", "postgres: x\0\0\0junk", 17);
	ck_assert_int_eq(tap_proc_title(fake.root, 7, title, sizeof(title)), 0);
	ck_assert_str_eq(title, "postgres: x");
	fake_proc_write(&fake, 7, "cmdline", "0123456789abcdefghij", 0);
	ck_assert_int_eq(tap_proc_title(fake.root, 7, title, sizeof(title)), 0);
	ck_assert_str_eq(title, "0123456789abcde");
}
END_TEST

START_TEST(test_deleted_mark)
{
	char path[TAP_PROC_PATH_MAX];
	bool deleted;

	fake_proc_add(&fake, &(struct fake_process){ .pid = 7, .exe = "/usr/bin/x (deleted)" });
	ck_assert_int_eq(tap_proc_exe_path(fake.root, 7, path, &deleted), 0);
	ck_assert_str_eq(path, "/usr/bin/x");
	ck_assert(deleted);
	ck_assert_int_eq(tap_proc_exe_link(fake.root, 7, path), 0);
	ck_assert_str_eq(path, "/usr/bin/x (deleted)");
	fake_proc_add(&fake, &(struct fake_process){ .pid = 7, .exe = " (deleted)" });
	ck_assert_int_eq(tap_proc_exe_path(fake.root, 7, path, &deleted), 0);
	ck_assert_str_eq(path, " (deleted)");
	ck_assert(!deleted);
}
END_TEST

START_TEST(test_exe_must_be_a_plain_file)
{
	struct tap_file_id id;
	struct stat st;
	char path[PATH_MAX];
	int fd;

	fake_proc_add(&fake, &(struct fake_process){ .pid = 7, .exe = "/" });
	ck_assert_int_eq(tap_proc_exe_open(fake.root, 7, &fd), -EBADMSG);
	fake_proc_path(&fake, 7, "fifo", path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	fake_proc_link(&fake, 7, "exe", path);
	ck_assert_int_eq(tap_proc_exe_open(fake.root, 7, &fd), -EBADMSG);
	fake_proc_link(&fake, 7, "exe", "/proc/self/exe");
	ck_assert_int_eq(tap_proc_exe_open(fake.root, 7, &fd), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(tap_proc_exe_id(fake.root, 7, &id), 0);
	ck_assert(id.device == st.st_dev && id.inode == st.st_ino);
	close(fd);
}
END_TEST

/* A real process whose executable is deleted under it: the file is still there for us. */
START_TEST(test_deleted_executable_can_be_opened)
{
	char copy[PATH_MAX], command[PATH_MAX * 2], path[TAP_PROC_PATH_MAX];
	char magic[4];
	bool deleted;
	pid_t child;
	int fd, gate[2];
	char byte;

	snprintf(copy, sizeof(copy), "%s/sleeper", fake.root);
	snprintf(command, sizeof(command), "cp /bin/sleep %s", copy);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	child = fork();
	if (!child) {
		execl(copy, copy, "60", NULL);
		_exit(1);
	}
	close(gate[1]);
	ck_assert_int_eq(read(gate[0], &byte, 1), 0); /* closed by the exec */
	close(gate[0]);
	ck_assert_int_eq(unlink(copy), 0);
	ck_assert_int_eq(tap_proc_exe_path("/proc", child, path, &deleted), 0);
	ck_assert_str_eq(path, copy);
	ck_assert(deleted);
	ck_assert_int_eq(tap_proc_exe_open("/proc", child, &fd), 0);
	ck_assert_int_eq(read(fd, magic, 4), 4);
	ck_assert_mem_eq(magic, "\177ELF", 4);
	close(fd);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}
END_TEST

START_TEST(test_paths_are_shared_or_not)
{
	fake_proc_add(&fake, &(struct fake_process){ .pid = 7 });
	ck_assert(tap_proc_shares_paths(fake.root, 7));
	fake_proc_add(&fake, &(struct fake_process){ .pid = 8, .root = "/srv/chroot" });
	ck_assert(!tap_proc_shares_paths(fake.root, 8));
	fake_proc_add(&fake, &(struct fake_process){ .pid = 9, .other_mounts = true });
	ck_assert(!tap_proc_shares_paths(fake.root, 9));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("proc");
	TCase *tcase = tcase_create("proc");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, test_reads_itself);
	tcase_add_test(tcase, test_comm_may_hold_anything);
	tcase_add_test(tcase, test_broken_stat);
	tcase_add_test(tcase, test_gone_is_gone);
	tcase_add_test(tcase, test_root_too_long);
	tcase_add_test(tcase, test_list_is_sorted_and_skips_the_rest);
	tcase_add_test(tcase, test_list_of_nothing);
	tcase_add_test(tcase, test_the_real_list_has_us);
	tcase_add_test(tcase, test_tree);
	tcase_add_test(tcase, test_tree_with_a_circle_ends);
	tcase_add_test(tcase, test_out_of_memory);
	tcase_add_test(tcase, test_ns_pid_is_the_innermost);
	tcase_add_test(tcase, test_title_ends_at_its_first_nul_or_the_buffer);
	tcase_add_test(tcase, test_deleted_mark);
	tcase_add_test(tcase, test_exe_must_be_a_plain_file);
	tcase_add_test(tcase, test_deleted_executable_can_be_opened);
	tcase_add_test(tcase, test_paths_are_shared_or_not);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
