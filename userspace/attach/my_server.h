/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_server.h - a MariaDB or MySQL server recognised by its own variables, and its settings; for my_find and what reads
 * sessions.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_SERVER_H
#define TAP_USERSPACE_ATTACH_MY_SERVER_H

#include "userspace/attach/my_binary.h"
#include "userspace/attach/my_layout.h"
#include "userspace/attach/my_thread_kind.h"
#include "userspace/attach/proc.h"
#include "userspace/attach/target.h"

/* What target->own holds of a server that can be traced. */
struct tap_my_own {
	struct tap_my_instance instance;
	struct tap_my_fields fields;
	enum tap_my_product product;
	struct tap_my_thread_marks marks;
	uint64_t sessions; /* address of what leads to the sessions: MariaDB's list, MySQL's pointer to its manager */
};

/*
 * Reads what the process says of itself. -ENOENT: it is no running server (one that starts, too); -EACCES, -EPERM: not
 * ours to look at; -ESRCH: gone. On success *ret is the caller's to _done; its id and layout are not set yet.
 */
int tap_my_server_read(const char *root, const struct tap_proc *proc, const struct tap_my_binary *binary,
		       struct tap_target *ret, uint64_t *ret_bias);

/* Places of counters, by name, in the tables that SHOW STATUS is made of. -EBADMSG: one is not there or no number. */
int tap_my_server_status_offsets(const struct tap_target *target, const struct tap_my_binary *binary, uint64_t bias,
				 struct tap_my_status_offsets *ret);

/* What stages are called, as addresses the kernel side compares with. What cannot be read is left out. */
void tap_my_server_stages(const struct tap_target *target, const struct tap_my_binary *binary, uint64_t bias,
			  struct tap_my_stages *ret);

/* Whether sessions move between the threads of a pool. */
bool tap_my_server_is_pooled(const struct tap_target *target, const struct tap_my_binary *binary, uint64_t bias);

/* "10.11.19-MariaDB-log" is "10.11.19" and 101119. -EBADMSG when it is no version. */
int tap_my_version_parse(const char *text, char ret[32], int32_t *ret_number);

#endif
