// SPDX-License-Identifier: BSD-2-Clause
/* hint_write.c - a hint in words: whose it is, and the numbers it rests on. */
#include <inttypes.h>

#include "correlate/model/hints.h"
#include "userspace/base/number.h"

const char *tap_hint_text(const struct tap_hints *hints, const struct tap_hint_statement *statement)
{
	return tap_io_owner_text(hints->build->io, statement->owner);
}

void tap_hint_add(struct tap_hints *hints, const struct tap_view_hint *hint, struct tap_strbuf *evidence)
{
	uint32_t number = (uint32_t)hints->found.count, place;
	struct tap_arena *arena = hints->build->arena;
	struct tap_view_hint *copy;

	if (!hint->advice) {
		tap_strbuf_done(evidence);
		return;
	}
	place = tap_io_table_get(&hints->found, &number);
	arena->failed |= evidence->failed || place == TAP_IO_NONE;
	if (!arena->failed) {
		copy = &((struct tap_hint_found *)hints->found.items)[place].hint;
		*copy = *hint;
		copy->evidence = tap_arena_string(arena, evidence->data);
	}
	tap_strbuf_done(evidence);
}

struct tap_view_hint tap_hint_of_instance(const struct tap_hints *hints, uint32_t number, const char *name)
{
	const struct tap_window_instance *instance = tap_build_instance(hints->build, number);

	return (struct tap_view_hint){
		.hint = name,
		.instance = instance ? tap_arena_string(hints->build->arena, instance->id) : NULL,
	};
}

struct tap_view_hint tap_hint_of(const struct tap_hints *hints, const struct tap_hint_statement *statement,
				 const char *name)
{
	const struct tap_hint_statement_key *key = &statement->key;
	struct tap_view_hint hint = tap_hint_of_instance(hints, key->instance, name);

	hint.database = tap_build_name(hints->build, key->instance, TAP_NAME_DATABASE, key->database);
	hint.query_id = tap_build_query_id(hints->build, (uint8_t)key->source, key->query_id);
	hint.query = tap_hint_text(hints, statement);
	return hint;
}

void tap_hint_put_bytes(struct tap_strbuf *out, uint64_t bytes)
{
	char number[TAP_NUMBER_MAX];

	tap_strbuf_add_string(out, tap_number_bytes(number, tap_io_signed(bytes)));
}

void tap_hint_put_ns(struct tap_strbuf *out, int64_t ns)
{
	char number[TAP_NUMBER_MAX];

	tap_strbuf_add_string(out, tap_number_ns(number, ns));
}

void tap_hint_put_percent(struct tap_strbuf *out, double share)
{
	char number[TAP_NUMBER_MAX];

	tap_strbuf_printf(out, "%s %%", tap_number_percent(number, 100 * share, 0));
}

void tap_hint_put_executions(struct tap_strbuf *out, const struct tap_hint_statement *statement)
{
	if (statement->executions < 0)
		tap_strbuf_add_string(out, "an unknown number of executions");
	else
		tap_strbuf_printf(out, "%" PRId64 " execution%s", statement->executions,
				  statement->executions == 1 ? "" : "s");
}

void tap_hint_put_each(struct tap_strbuf *out, const struct tap_hint_statement *statement, uint64_t bytes)
{
	if (statement->executions <= 1)
		return;
	tap_strbuf_add_string(out, ", ");
	tap_hint_put_bytes(out, bytes / (uint64_t)statement->executions);
	tap_strbuf_add_string(out, " each");
}
