/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_code.h - what the one-line functions that a server exports for its plugins say about its data.
 *
 * Debian's servers are stripped, but functions such as `thd_get_thread_id` are exported, and what each does is load one
 * field: the instruction holds its offset. Everything that is not exactly such a function is no answer.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_CODE_H
#define TAP_USERSPACE_ATTACH_MY_CODE_H

#include <stddef.h>
#include <stdint.h>

enum {
	TAP_MY_CODE_MAX = 64, /* bytes of a function that are looked at */
};

/* `return thread_local_pointer;`: its offset from the thread pointer. -ENOENT: the code is something else. */
int tap_my_code_thread_local(uint16_t machine, const uint8_t *code, size_t size, int32_t *ret);

/* A field of the object that is the only argument. */
struct tap_my_code_field {
	uint32_t offset;
	uint8_t size;	 /* of what is loaded: 1, 2, 4 or 8; 0 with `address` */
	uint8_t address; /* the function returns the field's address */
};

/* `return object->field;` or `return &object->field;`. -ENOENT: the code is something else. */
int tap_my_code_field(uint16_t machine, const uint8_t *code, size_t size, struct tap_my_code_field *ret);

/* `return object->part ? object->part->field : NULL;`, pointers both. */
int tap_my_code_part(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret_part, uint32_t *ret_field);

/* `if (object) object->field += number;`, 64 bits. */
int tap_my_code_counter(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret);

/* `return other_function(object->field, ...);`, a pointer. */
int tap_my_code_handed_on(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret);

/* `return { object->text, object->text_length };`, the length 8 bytes behind the pointer. */
int tap_my_code_text(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret);

/* `object->field = number; other_function(number);`, 32 bits. */
int tap_my_code_stored(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret);

/* `if (to) { *to = object->field; ...`, a pointer. */
int tap_my_code_handed_out(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret);

/* `*flag = object->other; return &object->field;`, the flag a byte. */
int tap_my_code_flagged_address(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret);

#endif
