/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_lock_record.h - what the numbers of MariaDB's locks mean: modes, kinds, and the records of the kernel side.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_LOCK_RECORD_H
#define TAP_USERSPACE_ATTACH_MY_LOCK_RECORD_H

#include "userspace/attach/engine.h"

/* enum tap_lock_record_mode of a type_mode, at that place of its page; behind the last record there is only a gap. 0:
 * none. */
uint8_t tap_my_lock_record_mode(uint32_t mode, uint16_t heap);
/* enum tap_lock_table_mode; 0: none. */
uint8_t tap_my_lock_table_mode(uint32_t mode);
/* enum tap_lock_type of a metadata lock of that kind of object. */
uint8_t tap_my_lock_metadata_type(uint32_t kind);

/* As tap_attach.lock_decode. */
void tap_my_lock_decode(const struct tap_lock_event *record, struct tap_lock_words *ret);

#endif
