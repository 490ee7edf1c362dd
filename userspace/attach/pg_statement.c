// SPDX-License-Identifier: BSD-2-Clause
/* pg_statement.c - one status entry by way of the process's own pointer to it. */
#include "userspace/attach/pg_statement.h"

#include <errno.h>
#include <string.h>

#include "userspace/attach/memory.h"
#include "userspace/attach/pg_memory.h"
#include "userspace/attach/pg_status.h"

enum {
	TRIES = 4,
};

/* An entry whose change count is even and the same before and after. */
static int entry_read(const struct tap_target *target, int32_t pid, uint64_t address, struct tap_pg_status *ret)
{
	uint8_t entry[TAP_PG_STATUS_MAX];
	uint32_t after;

	for (int i = 0; i < TRIES; i++) {
		struct tap_memory_read reads[] = {
			{ .address = address, .to = entry, .size = target->layout.status_size },
			{ .address = address + target->layout.status_changecount, .to = &after, .size = sizeof(after) },
		};
		int status = tap_memory_read_many(pid, reads, sizeof(reads) / sizeof(*reads));

		if (status)
			return status;
		if (!reads[0].ok || !reads[1].ok)
			return -EFAULT;
		tap_pg_status_decode(&target->layout, entry, ret);
		if (!(after & 1) && after == ret->changecount)
			return 0;
	}
	return -EAGAIN;
}

static void text_read(const struct tap_target *target, int32_t pid, uint64_t address, char text[TAP_TEXT_MAX])
{
	size_t size = target->activity_size > 0 && target->activity_size < TAP_TEXT_MAX ? (size_t)target->activity_size
											: TAP_TEXT_MAX;

	if (!address || tap_memory_read(pid, address, text, size))
		size = 1;
	text[size - 1] = '\0';
	text[tap_pg_text_clip(text, strlen(text))] = '\0';
}

int tap_pg_statement_read(const struct tap_target *target, int32_t pid, struct tap_statement *ret)
{
	struct tap_pg_status status;
	uint64_t address = 0;
	int code;

	if (pid <= 0 || target->layout.status_size > TAP_PG_STATUS_MAX)
		return -EINVAL;
	code = tap_memory_read(pid, target->addresses.my_beentry, &address, sizeof(address));
	if (!code && !address)
		code = -ENODATA;
	if (!code)
		code = entry_read(target, pid, address, &status);
	if (code)
		return code;
	ret->kind = tap_pg_status_kind(&target->layout, status.backend_type);
	ret->state = tap_pg_session_state(status.state);
	ret->database = status.database;
	ret->user = status.user;
	ret->query_id = status.query_id;
	ret->transaction_start_us = tap_pg_time_us(status.xact_start);
	ret->query_start_us = tap_pg_time_us(status.activity_start);
	text_read(target, pid, status.activity, ret->text);
	return 0;
}
