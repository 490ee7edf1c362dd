// SPDX-License-Identifier: BSD-2-Clause
/*
 * proc.c - reads /proc/PID/{stat,status,cmdline,exe,root,ns/mnt}.
 *
 * Called by target and pg_memory. A process's mappings are in maps, its memory's contents in memory; nothing here knows
 * of databases.
 */
#include "userspace/attach/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/base/number.h"

static const char deleted_mark[] = " (deleted)";

static int proc_path(const char *root, int32_t pid, const char *name, char ret[TAP_PROC_PATH_MAX])
{
	int length = snprintf(ret, TAP_PROC_PATH_MAX, "%s/%d/%s", root, pid, name);

	return length < 0 || length >= TAP_PROC_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* A process's directory that is not there is a process that is not there. */
static int proc_errno(void)
{
	return errno == ENOENT ? -ESRCH : -errno;
}

/* Reads at most size - 1 bytes and terminates them; the number of bytes, or an error. */
static ssize_t read_small(const char *root, int32_t pid, const char *name, char *ret, size_t size)
{
	char path[TAP_PROC_PATH_MAX];
	size_t got;
	ssize_t n;
	int fd, err;

	err = proc_path(root, pid, name, path);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return proc_errno();
	/* These files come whole in one read where the buffer has room: no second one to see the end. */
	n = read(fd, ret, size - 1);
	got = n > 0 ? (size_t)n : 0;
	err = n < 0 ? -errno : 0;
	close(fd);
	ret[got] = '\0';
	return err ? err : (ssize_t)got;
}

/*
 * "PID (COMM) STATE PPID ..." where COMM may hold anything, parentheses and spaces too: it ends at the last ')'.
 * Source: proc(5), fields 1 to 4 and 22.
 */
static int stat_parse(const char *text, struct tap_proc *ret)
{
	const char *open_at = strchr(text, '(');
	const char *close_at = strrchr(text, ')');
	struct tap_proc proc = { 0 };
	unsigned long long start;
	size_t length;

	if (!open_at || !close_at || close_at < open_at)
		return -EBADMSG;
	length = (size_t)(close_at - open_at - 1);
	if (length >= sizeof(proc.comm))
		length = sizeof(proc.comm) - 1;
	memcpy(proc.comm, open_at + 1, length);
	if (sscanf(text, "%d", &proc.pid) != 1)
		return -EBADMSG;
	if (sscanf(close_at + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &proc.state, &proc.ppid, &start) != 3)
		return -EBADMSG;
	proc.start_ticks = start;
	*ret = proc;
	return 0;
}

int tap_proc_read(const char *root, int32_t pid, struct tap_proc *ret)
{
	char text[1024];
	struct tap_proc proc;
	ssize_t n = read_small(root, pid, "stat", text, sizeof(text));
	int err;

	if (n < 0)
		return (int)n;
	err = stat_parse(text, &proc);
	if (err)
		return err;
	if (proc.pid != pid)
		return -EBADMSG;
	*ret = proc;
	return 0;
}

static int compare_pids(const void *a, const void *b)
{
	const struct tap_proc *left = a;
	const struct tap_proc *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

struct proc_vector {
	struct tap_proc *items;
	size_t count;
	size_t capacity;
};

static int vector_add(struct proc_vector *vector, const struct tap_proc *proc)
{
	if (vector->count == vector->capacity) {
		size_t capacity = vector->capacity ? vector->capacity * 2 : 256;
		struct tap_proc *items = realloc(vector->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		vector->items = items;
		vector->capacity = capacity;
	}
	vector->items[vector->count++] = *proc;
	return 0;
}

static int list_entry(const char *root, const char *name, struct proc_vector *vector)
{
	struct tap_proc proc = { 0 };
	int64_t pid;
	int err;

	if (tap_number_parse_int(name, 1, INT32_MAX, &pid))
		return 0;
	err = tap_proc_read(root, (int32_t)pid, &proc);
	if (err == -EACCES || err == -EPERM)
		proc.pid = (int32_t)pid;
	else if (err)
		return 0; /* gone, or unreadable text: not a process we can use */
	return vector_add(vector, &proc);
}

int tap_proc_list(const char *root, struct tap_proc **ret, size_t *ret_count)
{
	struct proc_vector vector = { 0 };
	struct dirent *entry;
	DIR *dir;
	int err = 0;

	dir = opendir(root);
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir)))
		err = list_entry(root, entry->d_name, &vector);
	closedir(dir);
	if (err) {
		free(vector.items);
		return err;
	}
	if (vector.count)
		qsort(vector.items, vector.count, sizeof(*vector.items), compare_pids);
	*ret = vector.items;
	*ret_count = vector.count;
	return 0;
}

const struct tap_proc *tap_proc_find(const struct tap_proc *list, size_t count, int32_t pid)
{
	const struct tap_proc key = { .pid = pid };

	return count ? bsearch(&key, list, count, sizeof(*list), compare_pids) : NULL;
}

/* Appends the children of `parent`. */
static int tree_add_children(const struct tap_proc *list, size_t count, int32_t parent, struct proc_vector *tree)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		if (list[i].ppid == parent && list[i].pid != parent && list[i].state && list[i].state != 'Z')
			err = vector_add(tree, &list[i]);
	}
	return err;
}

static bool has_children(const struct tap_proc *list, size_t count, const bool *is_parent, int32_t pid)
{
	const struct tap_proc *proc = tap_proc_find(list, count, pid);

	return proc && is_parent[proc - list];
}

/* Marks who has children, so that the list is walked once per parent and not once per process. */
static bool *mark_parents(const struct tap_proc *list, size_t count)
{
	bool *is_parent = calloc(count, sizeof(*is_parent));

	for (size_t i = 0; is_parent && i < count; i++) {
		const struct tap_proc *parent = tap_proc_find(list, count, list[i].ppid);

		if (parent)
			is_parent[parent - list] = true;
	}
	return is_parent;
}

int tap_proc_tree(const struct tap_proc *list, size_t count, int32_t top, struct tap_proc **ret, size_t *ret_count)
{
	const struct tap_proc *first = tap_proc_find(list, count, top);
	struct proc_vector tree = { 0 };
	bool *is_parent;
	int err;

	if (!first)
		return -ESRCH;
	is_parent = mark_parents(list, count);
	if (!is_parent)
		return -ENOMEM;
	err = vector_add(&tree, first);
	/* A scan is no snapshot: a reused pid could close a circle, so the tree never outgrows the list. */
	for (size_t i = 0; !err && i < tree.count && tree.count <= count; i++) {
		if (has_children(list, count, is_parent, tree.items[i].pid))
			err = tree_add_children(list, count, tree.items[i].pid, &tree);
	}
	free(is_parent);
	if (err) {
		free(tree.items);
		return err;
	}
	*ret = tree.items;
	*ret_count = tree.count;
	return 0;
}

/* "NSpid:" lists the pid in every namespace the process is in, outermost first. */
int tap_proc_ns_pid(const char *root, int32_t pid, int32_t *ret)
{
	char text[8192];
	ssize_t n = read_small(root, pid, "status", text, sizeof(text));
	const char *at;
	long last = 0;

	if (n < 0)
		return (int)n;
	at = strstr(text, "\nNSpid:");
	if (!at)
		return -EBADMSG;
	at += strlen("\nNSpid:");
	for (;;) {
		char *end;
		long value;

		at += strspn(at, " \t");
		value = strtol(at, &end, 10);
		if (end == at)
			break;
		last = value;
		at = end;
	}
	if (last <= 0 || last > INT32_MAX)
		return -EBADMSG;
	*ret = (int32_t)last;
	return 0;
}

int tap_proc_title(const char *root, int32_t pid, char *ret, size_t size)
{
	ssize_t n = read_small(root, pid, "cmdline", ret, size);

	return n < 0 ? (int)n : 0;
}

static int read_link(const char *root, int32_t pid, const char *name, char ret[TAP_PROC_PATH_MAX])
{
	char path[TAP_PROC_PATH_MAX];
	char target[TAP_PROC_PATH_MAX];
	ssize_t n;
	int err;

	err = proc_path(root, pid, name, path);
	if (err)
		return err;
	n = readlink(path, target, sizeof(target));
	if (n < 0)
		return proc_errno();
	if (n >= (ssize_t)sizeof(target))
		return -ENAMETOOLONG;
	memcpy(ret, target, (size_t)n);
	ret[n] = '\0';
	return 0;
}

int tap_proc_exe_link(const char *root, int32_t pid, char ret[TAP_PROC_PATH_MAX])
{
	return read_link(root, pid, "exe", ret);
}

int tap_proc_exe_path(const char *root, int32_t pid, char ret[TAP_PROC_PATH_MAX], bool *ret_deleted)
{
	size_t mark = sizeof(deleted_mark) - 1;
	size_t length;
	bool deleted;
	int err;

	err = tap_proc_exe_link(root, pid, ret);
	if (err)
		return err;
	length = strlen(ret);
	deleted = length > mark && !strcmp(ret + length - mark, deleted_mark);
	if (deleted)
		ret[length - mark] = '\0';
	if (ret_deleted)
		*ret_deleted = deleted;
	return 0;
}

static int file_id(const char *root, int32_t pid, const char *name, struct tap_file_id *ret)
{
	char path[TAP_PROC_PATH_MAX];
	struct stat st;
	int err;

	err = proc_path(root, pid, name, path);
	if (err)
		return err;
	if (stat(path, &st))
		return proc_errno();
	*ret = (struct tap_file_id){ .device = st.st_dev, .inode = st.st_ino };
	return 0;
}

int tap_proc_exe_id(const char *root, int32_t pid, struct tap_file_id *ret)
{
	return file_id(root, pid, "exe", ret);
}

int tap_proc_exe_open(const char *root, int32_t pid, int *ret)
{
	char path[TAP_PROC_PATH_MAX];
	struct stat st;
	int fd, err;

	err = proc_path(root, pid, "exe", path);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return proc_errno();
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EBADMSG;
	}
	*ret = fd;
	return 0;
}

/* Whether it is in our own namespace of this kind ("ns/mnt"). */
static bool shares_namespace(const char *root, int32_t pid, const char *name)
{
	char path[64];
	struct tap_file_id theirs;
	struct stat ours;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	if (file_id(root, pid, name, &theirs) || stat(path, &ours))
		return false;
	return ours.st_dev == theirs.device && ours.st_ino == theirs.inode;
}

bool tap_proc_shares_paths(const char *root, int32_t pid)
{
	char link[TAP_PROC_PATH_MAX];

	return !read_link(root, pid, "root", link) && !strcmp(link, "/") && shares_namespace(root, pid, "ns/mnt");
}

bool tap_proc_shares_network(const char *root, int32_t pid)
{
	return shares_namespace(root, pid, "ns/net");
}
