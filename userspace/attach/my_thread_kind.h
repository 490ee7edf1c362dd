/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_thread_kind.h - what the threads of a server are that serve no session: by name where they have one, else, for
 * MariaDB before 11.7, by what they wait in and what they were started with.
 *
 * Only what is sure: everything else is `background`.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_THREAD_KIND_H
#define TAP_USERSPACE_ATTACH_MY_THREAD_KIND_H

#include <stddef.h>
#include <stdint.h>

#include "userspace/attach/my_binary.h"

/* What tells unnamed threads of one server apart: addresses in its process; 0: that is not to be had. */
struct tap_my_thread_marks {
	uint64_t image;	       /* where the executable was loaded */
	uint64_t plain;	       /* table of functions of what starts a thread with a plain function */
	uint64_t pool;	       /* ... a thread of InnoDB's pool */
	uint64_t page_cleaner; /* the variable that only the page cleaner asks for as it begins */
};

void tap_my_thread_marks_make(const struct tap_my_binary *binary, uint64_t bias, struct tap_my_thread_marks *ret);

/*
 * What each of these threads is, enum tap_kind, NONE where nothing tells. `root`, `pid`: as tap_my_threads_read; the
 * threads are named by both of their numbers.
 */
struct tap_my_thread_asked {
	int32_t tid;
	int32_t ns_tid;
	uint8_t kind; /* out */
};
void tap_my_threads_tell(const char *root, int32_t pid, const struct tap_my_thread_marks *marks,
			 struct tap_my_thread_asked *asked, size_t count);

#endif
