/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_product.h - in what MariaDB and MySQL differ: names, which functions tell of a session's fields, which stages are
 * waits.
 *
 * Tables only. my_binary reads an executable by them.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_PRODUCT_H
#define TAP_USERSPACE_ATTACH_MY_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/my_layout.h"

enum tap_my_product {
	TAP_MY_MARIADB,
	TAP_MY_MYSQL,
	TAP_MY_PRODUCTS,
};

/* Offsets in a session that the exported functions tell, as struct tap_my_layout names them. */
struct tap_my_decoded {
	int32_t thd;
	uint32_t query;
	uint32_t database;
	uint32_t thread_id;
	uint32_t command;
	uint32_t security;
	uint32_t user; /* of the security context, like the two that follow */
	uint32_t host;
	uint32_t address;
	uint32_t received; /* of these two one is told: 0: the other */
	uint32_t status;   /* the block of counters */
	uint32_t memory;
	uint32_t record; /* MySQL's, of its performance schema; 0: not told */
};

/* What a function does; see my_code.h. */
enum tap_my_shape {
	TAP_MY_SHAPE_THREAD_LOCAL,    /* returns the thread-local pointer */
	TAP_MY_SHAPE_FIELD,	      /* returns a field */
	TAP_MY_SHAPE_ADDRESS,	      /* returns the address of a field */
	TAP_MY_SHAPE_TEXT,	      /* returns a pointer and the length behind it */
	TAP_MY_SHAPE_PART,	      /* returns a field of the security context */
	TAP_MY_SHAPE_COUNTER,	      /* adds to a field */
	TAP_MY_SHAPE_HANDED_ON,	      /* calls another function with a field */
	TAP_MY_SHAPE_HANDED_OUT,      /* gives a pointer out through its second argument */
	TAP_MY_SHAPE_STORED,	      /* sets a field of four bytes */
	TAP_MY_SHAPE_FLAGGED_ADDRESS, /* returns the address of a field, gives a flag out */
};

struct tap_my_function {
	const char *symbol;
	uint8_t shape; /* enum tap_my_shape */
	uint8_t size;  /* of a FIELD */
	uint16_t to;   /* which member of struct tap_my_decoded it tells */
};

/* A stage of a session that says what it waits for. */
struct tap_my_stage {
	const char *name; /* of the exported variable, or the text itself */
	bool is_text;
	uint8_t wait; /* enum tap_my_wait less TAP_MY_WAIT_NONE */
};

enum {
	TAP_MY_FUNCTIONS_MAX = 16,
	TAP_MY_STAGES_MAX = TAP_MY_STAGES,
};

struct tap_my_product_info {
	const char *name;	 /* as outputs and ids have it */
	const char *title;	 /* for people */
	const char *sessions;	 /* the variable that leads to all sessions; it tells the product, too */
	const char *thread_slot; /* the thread-local variable; NULL: a function tells where it is */
	struct tap_my_function functions[TAP_MY_FUNCTIONS_MAX]; /* up to the first without a symbol */
	struct tap_my_stage stages[TAP_MY_STAGES_MAX];
};

const struct tap_my_product_info *tap_my_product_info(enum tap_my_product product);

#endif
