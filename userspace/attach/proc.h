/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proc.h - processes as /proc shows them: who they are, whose children, which binary they run.
 *
 * Every function takes the root of the proc file system ("/proc" but for tests) and a pid of that file system. A
 * process may vanish between any two calls: then -ESRCH. -EACCES or -EPERM: not ours to look at.
 */
#ifndef TAP_USERSPACE_ATTACH_PROC_H
#define TAP_USERSPACE_ATTACH_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	TAP_PROC_COMM_MAX = 64,	  /* the kernel's 16 bytes; kernel threads' names are longer */
	TAP_PROC_PATH_MAX = 4096, /* longest path of an executable that is understood */
};

struct tap_proc {
	int32_t pid;
	int32_t ppid;
	uint64_t start_ticks; /* with the pid, names a process for as long as the host runs */
	char state;	      /* 'R', 'S', 'Z', ... */
	char comm[TAP_PROC_COMM_MAX];
};

/* A file, whatever its path. */
struct tap_file_id {
	dev_t device;
	ino_t inode;
};

int tap_proc_read(const char *root, int32_t pid, struct tap_proc *ret);

/*
 * Every process, ordered by pid, in one scan; *ret is malloc'd. A process that may not be looked at at all (hidepid)
 * has pid only and state 0.
 */
int tap_proc_list(const char *root, struct tap_proc **ret, size_t *ret_count);

/* In a list of tap_proc_list; NULL when it is not there. */
const struct tap_proc *tap_proc_find(const struct tap_proc *list, size_t count, int32_t pid);

/*
 * `top` and everything below it by parent, zombies left out, `top` first, parents before their children. *ret is
 * malloc'd and holds copies. -ESRCH when `top` is not in the list.
 */
int tap_proc_tree(const struct tap_proc *list, size_t count, int32_t top, struct tap_proc **ret, size_t *ret_count);

/* Its pid in the innermost pid namespace it is in: what it sees as its own. */
int tap_proc_ns_pid(const char *root, int32_t pid, int32_t *ret);

/* First string of its command line, cut to `size`; servers put a title there. May be "". */
int tap_proc_title(const char *root, int32_t pid, char *ret, size_t size);

/* Path of its executable without the kernel's " (deleted)" mark; *ret_deleted may be NULL. */
int tap_proc_exe_path(const char *root, int32_t pid, char ret[TAP_PROC_PATH_MAX], bool *ret_deleted);
/* The same path as the kernel writes it, mark included: what maps lines of that file show. */
int tap_proc_exe_link(const char *root, int32_t pid, char ret[TAP_PROC_PATH_MAX]);
int tap_proc_exe_id(const char *root, int32_t pid, struct tap_file_id *ret);
/* The executable itself, read-only, also when its path is gone or in another mount namespace. *ret is the caller's. */
int tap_proc_exe_open(const char *root, int32_t pid, int *ret);

/* Whether paths mean the same to that process as to us (mount namespace and root directory). */
bool tap_proc_shares_paths(const char *root, int32_t pid);

/* Whether addresses, ports and abstract sockets mean the same to that process as to us (network namespace). */
bool tap_proc_shares_network(const char *root, int32_t pid);

#endif
