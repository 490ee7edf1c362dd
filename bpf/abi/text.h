/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * text.h - the text of a statement, sent once when its query id is new.
 */
#ifndef TAP_BPF_ABI_TEXT_H
#define TAP_BPF_ABI_TEXT_H

#include "bpf/abi/task.h"

struct tap_text_key {
	__u32 instance;
	__u32 source; /* enum tap_query_id_source */
	__u64 query_id;
};
TAP_ABI_SIZE(tap_text_key, 16);

/* Ring record. `text` may be cut in the middle of a character; bytes past `text_size` mean nothing. */
struct tap_text_event {
	struct tap_text_key key;
	__u32 text_size;
	__u32 database;
	char text[TAP_TEXT_MAX];
};
TAP_ABI_SIZE(tap_text_event, 1048);

#endif
