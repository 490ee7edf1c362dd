/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_proc.h - a /proc tree of a test's own making, in a folder that goes with it.
 */
#ifndef TAP_TESTS_UNIT_USERSPACE_ATTACH_FAKE_PROC_H
#define TAP_TESTS_UNIT_USERSPACE_ATTACH_FAKE_PROC_H

#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_proc {
	char root[64];
};

/* A process; a member left 0 or NULL gets a likely value or no file. */
struct fake_process {
	int pid;
	int ppid;
	int ns_pid; /* 0: the same as pid */
	char state; /* 0: 'S' */
	unsigned long long start;
	const char *comm; /* NULL: "postgres" */
	const char *exe;  /* path of a file; NULL: no link */
	const char *title;
	const char *maps;
	const char *root; /* NULL: "/" */
	bool other_mounts;
};

static inline void fake_proc_init(struct fake_proc *proc)
{
	snprintf(proc->root, sizeof(proc->root), "/tmp/tap_fake_proc_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(proc->root));
}

static inline int fake_proc_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void fake_proc_done(struct fake_proc *proc)
{
	nftw(proc->root, fake_proc_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fake_proc_path(const struct fake_proc *proc, int pid, const char *name, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s/%d%s%s", proc->root, pid, *name ? "/" : "", name);
}

/* Writes `size` bytes (0: the string) to a file of the process. */
static inline void fake_proc_write(const struct fake_proc *proc, int pid, const char *name, const char *text,
				   size_t size)
{
	char path[PATH_MAX];
	FILE *file;

	fake_proc_path(proc, pid, name, path);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fwrite(text, 1, size ? size : strlen(text), file);
	fclose(file);
}

static inline void fake_proc_link(const struct fake_proc *proc, int pid, const char *name, const char *to)
{
	char path[PATH_MAX];

	fake_proc_path(proc, pid, name, path);
	unlink(path);
	ck_assert_int_eq(symlink(to, path), 0);
}

static inline void fake_proc_stat(const struct fake_proc *proc, const struct fake_process *process)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "%d (%s) %c %d 1 1 0 -1 4194560 10 20 30 40 50 60 70 80 20 0 1 0 %llu 123456 789\n", process->pid,
		 process->comm ? process->comm : "postgres", process->state ? process->state : 'S', process->ppid,
		 process->start ? process->start : 1000ULL + (unsigned)process->pid);
	fake_proc_write(proc, process->pid, "stat", text, 0);
}

static inline void fake_proc_add(const struct fake_proc *proc, const struct fake_process *process)
{
	int pid = process->pid;
	char path[PATH_MAX], text[256];

	fake_proc_path(proc, pid, "", path);
	mkdir(path, 0700);
	fake_proc_path(proc, pid, "ns", path);
	mkdir(path, 0700);
	fake_proc_stat(proc, process);
	snprintf(text, sizeof(text), "Name:\tx\nUmask:\t0077\nNSpid:\t%d\t%d\nNSpgid:\t7\n", pid,
		 process->ns_pid ? process->ns_pid : pid);
	fake_proc_write(proc, pid, "status", text, 0);
	fake_proc_write(proc, pid, "cmdline", process->title ? process->title : "", 0);
	fake_proc_write(proc, pid, "maps", process->maps ? process->maps : "", 0);
	fake_proc_link(proc, pid, "root", process->root ? process->root : "/");
	fake_proc_link(proc, pid, "ns/mnt", process->other_mounts ? "/proc/self/ns/pid" : "/proc/self/ns/mnt");
	if (process->exe)
		fake_proc_link(proc, pid, "exe", process->exe);
}

#endif
