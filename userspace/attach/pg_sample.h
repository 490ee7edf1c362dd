/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_sample.h - raw memory of an instance's processes beside what is known of each without any layout.
 *
 * For pg_layout_search, which looks for the known in the raw. Nothing here needs offsets within the server's structs.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_SAMPLE_H
#define TAP_USERSPACE_ATTACH_PG_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/attach/maps.h"
#include "userspace/attach/target.h"

enum {
	TAP_PG_SAMPLE_STATUS = TAP_PG_STATUS_MAX,
	TAP_PG_SAMPLE_PROC = 1024,
};

/* What a client session's title says it does. */
enum tap_pg_sample_state {
	TAP_PG_SAMPLE_NO_STATE, /* it is no client's title, or it changed meanwhile */
	TAP_PG_SAMPLE_RUNNING,
	TAP_PG_SAMPLE_IDLE,
	TAP_PG_SAMPLE_IN_TRANSACTION,
	TAP_PG_SAMPLE_ABORTED,
};

struct tap_pg_sample {
	/* Its own variables. */
	uint64_t status;     /* MyBEEntry */
	uint64_t proc;	     /* MyProc */
	uint64_t wait_event; /* *my_wait_event_info is there; 0: the version has no such variable */
	int32_t pid;
	uint32_t database;
	uint32_t backend_type;
	int64_t start;
	/* Its title. */
	uint8_t kind; /* enum tap_kind; UNKNOWN: the title is none of the server's own */
	enum tap_pg_sample_state state;
	/* What the first two lead to, and some of what comes after it. */
	uint8_t status_bytes[TAP_PG_SAMPLE_STATUS];
	uint8_t proc_bytes[TAP_PG_SAMPLE_PROC];
};

struct tap_pg_sample_list {
	struct tap_pg_sample *items;
	size_t count;
	struct tap_maps maps; /* of the postmaster: which addresses are shared memory */
};

/*
 * Every process of the instance that has a status entry and stood still while it was read. `target` has the addresses
 * of the variables; of its layout nothing counts but which version the wait event is found by. 0 or a negative errno.
 */
int tap_pg_samples_read(const struct tap_target *target, struct tap_pg_sample_list *ret);
void tap_pg_samples_done(struct tap_pg_sample_list *list);

/*
 * Kind and, for a client session, state that the body of a title shows (tap_pg_title_body). A name in a client's title
 * may imitate anything but the place of the client's address.
 */
uint8_t tap_pg_sample_kind(const char *body, enum tap_pg_sample_state *ret_state);

#endif
