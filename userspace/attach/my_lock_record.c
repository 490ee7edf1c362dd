// SPDX-License-Identifier: BSD-2-Clause
/* my_lock_record.c - what the numbers of MariaDB's locks mean. */
#include "userspace/attach/my_lock_record.h"

#include "bpf/abi/my_lock.h"

enum {
	SUPREMUM = 1, /* place of what stands for the gap behind the last record of a page */
	KIND_BACKUP = 0,
	KIND_USER_LOCK = 8,
};

uint8_t tap_my_lock_record_mode(uint32_t mode, uint16_t heap)
{
	bool exclusive = (mode & TAP_MY_LOCK_MODE) == TAP_MY_LOCK_X;

	if (!exclusive && (mode & TAP_MY_LOCK_MODE) != TAP_MY_LOCK_S)
		return 0;
	if (mode & TAP_MY_LOCK_INSERT)
		return TAP_LOCK_RECORD_INSERT;
	if (mode & TAP_MY_LOCK_GAP || heap == SUPREMUM)
		return exclusive ? TAP_LOCK_RECORD_X_GAP : TAP_LOCK_RECORD_S_GAP;
	if (mode & TAP_MY_LOCK_NOT_GAP)
		return exclusive ? TAP_LOCK_RECORD_X_ONLY : TAP_LOCK_RECORD_S_ONLY;
	return exclusive ? TAP_LOCK_RECORD_X : TAP_LOCK_RECORD_S;
}

uint8_t tap_my_lock_table_mode(uint32_t mode)
{
	static const uint8_t modes[TAP_MY_LOCK_MODE + 1] = {
		[TAP_MY_LOCK_IS] = TAP_LOCK_TABLE_IS,
		[TAP_MY_LOCK_IX] = TAP_LOCK_TABLE_IX,
		[TAP_MY_LOCK_S] = TAP_LOCK_TABLE_S,
		[TAP_MY_LOCK_X] = TAP_LOCK_TABLE_X,
		[TAP_MY_LOCK_AUTO_INC] = TAP_LOCK_TABLE_AUTO_INC,
	};

	return modes[mode & TAP_MY_LOCK_MODE];
}

/* What the kernel side has packed into eight bits. */
static uint32_t mode_unpack(uint8_t mode)
{
	return (mode & TAP_MY_LOCK_MODE) | (uint32_t)(mode & ~TAP_MY_LOCK_MODE) << TAP_MY_LOCK_FLAGS_SHIFT;
}

uint8_t tap_my_lock_metadata_type(uint32_t kind)
{
	return kind == KIND_BACKUP ? TAP_LOCK_BACKUP : kind == KIND_USER_LOCK ? TAP_LOCK_NAMED : TAP_LOCK_METADATA;
}

/* The lock of backups is one; a user lock has its name where others have their database. */
static void metadata_decode(const uint32_t *words, struct tap_lock_words *ret)
{
	struct tap_lock_tag *tag = &ret->tag;

	tag->type = tap_my_lock_metadata_type(tag->field4);
	if (tag->type == TAP_LOCK_BACKUP)
		return;
	tag->field1 = tag->type == TAP_LOCK_METADATA ? words[0] : 0;
	tag->field2 = tag->type == TAP_LOCK_METADATA ? words[1] : words[0];
	tag->field3 = words[2];
}

void tap_my_lock_decode(const struct tap_lock_event *record, struct tap_lock_words *ret)
{
	const uint32_t *words = record->tag;
	struct tap_lock_tag tag = { .field1 = words[0], .field2 = words[1], .field3 = words[2], .method = 1 };

	*ret = (struct tap_lock_words){ .mode = record->mode, .tag = { .type = UINT8_MAX } };
	ret->wait_start_us = record->wait_start > 0 ? record->wait_start : 0;
	switch (words[3] >> TAP_MY_LOCK_KIND_SHIFT) {
	case TAP_MY_LOCK_RECORD:
		ret->tag = tag;
		ret->tag.type = TAP_LOCK_RECORD;
		ret->tag.field4 = (uint16_t)words[3];
		ret->mode = tap_my_lock_record_mode(mode_unpack(record->mode), ret->tag.field4);
		break;
	case TAP_MY_LOCK_TABLE:
		ret->tag = tag;
		ret->tag.type = TAP_LOCK_ENGINE_TABLE;
		ret->mode = tap_my_lock_table_mode(record->mode);
		break;
	case TAP_MY_LOCK_METADATA:
		ret->tag = (struct tap_lock_tag){ .method = 1, .field4 = (uint16_t)words[3] };
		metadata_decode(words, ret);
		break;
	default:
		break;
	}
}
