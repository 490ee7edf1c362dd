/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_status.h - one PgBackendStatus, decoded from the bytes in memory.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_STATUS_H
#define TAP_USERSPACE_ATTACH_PG_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/pg_layout.h"

enum {
	TAP_PG_CLIENT_MAX = 64,
};

/* Numbers as the server holds them; times in its own epoch (tap_pg_time_us). Nothing else is checked. */
struct tap_pg_status {
	uint32_t changecount;
	int32_t procpid;
	uint32_t backend_type;
	int64_t proc_start;
	int64_t xact_start;
	int64_t activity_start;
	int64_t state_start;
	uint32_t database;
	uint32_t user;
	uint32_t state;	   /* enum tap_pg_state; TAP_PG_STATE_COUNT: none of this version's */
	uint64_t appname;  /* address */
	uint64_t activity; /* address */
	uint64_t query_id;
};

/* `entry` holds layout->status_size bytes. */
void tap_pg_status_decode(const struct tap_pg_layout *layout, const uint8_t *entry, struct tap_pg_status *ret);

/* Kind of a BackendType number; UNKNOWN for what the version does not have. */
uint8_t tap_pg_status_kind(const struct tap_pg_layout *layout, uint32_t backend_type);

/*
 * The client's address: "[local]", "10.0.0.7:41234", "[::1]:5000"; "" for no client. `ret_port` is 0 without one.
 */
void tap_pg_status_client(const struct tap_pg_layout *layout, const uint8_t *entry, char ret[TAP_PG_CLIENT_MAX],
			  uint16_t *ret_port);

/* Microseconds since 2000-01-01 to microseconds since 1970-01-01; 0 (not set) and what does not fit stay 0. */
int64_t tap_pg_time_us(int64_t timestamp);

/* Length of `text` without a multi-byte UTF-8 character cut off at its end; text that is not UTF-8 is left alone. */
size_t tap_pg_text_clip(const char *text, size_t length);

#endif
