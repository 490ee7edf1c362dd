// SPDX-License-Identifier: BSD-2-Clause
/* build.c - names, texts and figures that all lists of a view share. */
#include "correlate/model/build.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "userspace/base/strbuf.h"

static const char *const kind_names[TAP_KIND_COUNT] = {
#define X(id, name) [TAP_KIND_##id] = name,
	TAP_KINDS(X)
#undef X
};

const struct tap_window_instance *tap_build_instance(const struct tap_build *build, uint32_t index)
{
	const struct tap_window_input *input = build->input;

	return index < input->n_instances && input->instances[index].present ? &input->instances[index] : NULL;
}

bool tap_build_row_is_wanted(const struct tap_build *build, const struct tap_row_key *key)
{
	const struct tap_window_options *options = &build->input->options;
	const struct tap_window_instance *instance = tap_build_instance(build, key->instance);
	const char *name;

	if (!instance || !tap_window_wants(options, instance))
		return false;
	if (!options->database)
		return true;
	name = instance->names ? tap_names_find(instance->names, TAP_NAME_DATABASE, key->database) : NULL;
	return name && !strcmp(name, options->database);
}

const char *tap_build_name(struct tap_build *build, uint32_t instance, enum tap_name_kind kind, uint32_t oid)
{
	const struct tap_window_instance *info = tap_build_instance(build, instance);
	const char *name = info && info->names ? tap_names_find(info->names, kind, oid) : NULL;
	char digits[16];

	if (!oid)
		return NULL;
	if (name)
		return tap_arena_string(build->arena, name);
	snprintf(digits, sizeof(digits), "%" PRIu32, oid);
	return tap_arena_string(build->arena, digits);
}

const char *tap_build_query_id(struct tap_build *build, uint8_t source, uint64_t query_id)
{
	char digits[24];

	if (source == TAP_QUERY_ID_NONE)
		return NULL;
	snprintf(digits, sizeof(digits), "%" PRId64, (int64_t)query_id);
	return tap_arena_string(build->arena, digits);
}

const char *tap_build_source(uint8_t source)
{
	return source == TAP_QUERY_ID_ENGINE ? "engine" : source == TAP_QUERY_ID_OWN ? "own" : NULL;
}

const char *tap_build_redact(struct tap_build *build, uint32_t instance, const char *raw)
{
	struct tap_strbuf text;
	const char *copy;

	if (!raw || build->input->options.raw_text)
		return tap_arena_string(build->arena, raw);
	tap_strbuf_init(&text);
	tap_build_terms(build, instance)->statement_normalise(raw, strlen(raw), &text);
	copy = text.failed ? NULL : tap_arena_string(build->arena, text.data);
	build->arena->failed |= text.failed;
	tap_strbuf_done(&text);
	return copy;
}

const char *tap_build_text(struct tap_build *build, uint32_t instance, uint8_t source, uint64_t query_id)
{
	struct tap_text_key key = { .instance = instance, .source = source, .query_id = query_id };
	const struct tap_text *text = tap_texts_find(build->input->texts, &key);

	if (source == TAP_QUERY_ID_NONE || !text)
		return NULL;
	if (text->normalised && !(build->input->options.raw_text && text->raw))
		return tap_arena_string(build->arena, text->normalised);
	return tap_build_redact(build, instance, text->raw);
}

struct tap_build_statement tap_build_session_statement(struct tap_build *build, uint32_t instance,
						       const struct tap_session *session)
{
	uint8_t source = session->query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE;
	uint64_t query_id = session->query_id;

	if (!query_id && session->query && *session->query) {
		query_id = tap_build_terms(build, instance)
				   ->statement_id(session->query, strnlen(session->query, TAP_TEXT_MAX - 1));
		source = TAP_QUERY_ID_OWN;
	}
	return (struct tap_build_statement){
		.query_id = tap_build_query_id(build, source, query_id),
		.query_id_source = tap_build_source(source),
		.query = tap_build_redact(build, instance, session->query),
	};
}

const char *tap_build_name_or_oid(struct tap_build *build, uint32_t instance, enum tap_name_kind kind, const char *name,
				  uint32_t oid)
{
	return name ? tap_arena_string(build->arena, name) : tap_build_name(build, instance, kind, oid);
}

const char *tap_build_kind(uint8_t kind)
{
	return kind_names[kind < TAP_KIND_COUNT ? kind : TAP_KIND_UNKNOWN];
}

const struct tap_terms *tap_build_terms(const struct tap_build *build, uint32_t instance)
{
	const struct tap_window_instance *info = tap_build_instance(build, instance);

	return tap_terms_of(info ? info->engine : TAP_ENGINE_COUNT);
}

bool tap_build_reports_progress(const struct tap_build *build, uint32_t instance, const char *text)
{
	return tap_build_terms(build, instance)->statement_reports_progress(text);
}

void tap_build_event(struct tap_build *build, uint32_t instance, uint32_t event, const char **ret_class,
		     const char **ret_name)
{
	const struct tap_window_instance *info = tap_build_instance(build, instance);
	char class_name[TAP_WAIT_CLASS_MAX], event_name[TAP_WAIT_NAME_MAX];

	if (event == TAP_EVENT_ANY) {
		*ret_class = "rest";
		*ret_name = "rest";
		return;
	}
	tap_build_terms(build, instance)->wait_event(info ? info->version_number : 0, event, class_name, event_name);
	*ret_class = tap_arena_string(build->arena, class_name);
	*ret_name = tap_arena_string(build->arena, event_name);
}

void tap_build_figures(struct tap_figures *ret, const struct tap_account *account, int64_t wait_ns, uint64_t sleeps)
{
	int64_t *value = ret->value;

	memset(ret, 0, sizeof(*ret));
	value[TAP_FIGURE_CALLS] = (int64_t)account->calls;
	value[TAP_FIGURE_UNSEEN] = (int64_t)account->uncounted;
	value[TAP_FIGURE_CPU] = (int64_t)account->cpu_ns;
	value[TAP_FIGURE_RUNQ] = (int64_t)account->runq_ns;
	value[TAP_FIGURE_WAIT] = wait_ns;
	value[TAP_FIGURE_UNKNOWN] = account->unknown_ns;
	value[TAP_FIGURE_ELAPSED] =
		(int64_t)(account->cpu_ns + account->runq_ns + (uint64_t)wait_ns + (uint64_t)account->unknown_ns);
	value[TAP_FIGURE_SLEEPS] = (int64_t)sleeps;
	value[TAP_FIGURE_PREEMPTIONS] = (int64_t)account->preemptions;
	value[TAP_FIGURE_MINOR_FAULTS] = (int64_t)account->minor_faults;
	value[TAP_FIGURE_MAJOR_FAULTS] = (int64_t)account->major_faults;
	value[TAP_FIGURE_RCHAR] = (int64_t)account->rchar_bytes;
	value[TAP_FIGURE_WCHAR] = (int64_t)account->wchar_bytes;
	value[TAP_FIGURE_READ] = (int64_t)account->read_bytes;
	value[TAP_FIGURE_DIRTIED] = (int64_t)account->dirtied_bytes;
	value[TAP_FIGURE_ANON_GROWTH] = account->anon_bytes;
}

void tap_build_absent(struct tap_figures *figures, enum tap_figure figure, enum tap_reason reason)
{
	figures->absent[figure] = (uint8_t)reason;
	figures->value[figure] = 0;
}

/* A row that cannot have a figure, or has it as nothing, leaves the sum as it is. */
static bool is_nothing(uint8_t reason)
{
	return reason == TAP_REASON_NOT_A_STATEMENT || reason == TAP_REASON_NO_FILES || reason == TAP_REASON_NO_DISK ||
	       reason == TAP_REASON_NO_GROWTH;
}

/* Any other absent part leaves the sum absent. */
void tap_build_figures_add(struct tap_figures *to, const struct tap_figures *from)
{
	for (int i = 0; i < TAP_FIGURE_COUNT; i++) {
		if (i == TAP_FIGURE_ANON_PEAK) /* of one process: the most of any */
			to->value[i] = to->value[i] > from->value[i] ? to->value[i] : from->value[i];
		else
			to->value[i] = (int64_t)((uint64_t)to->value[i] + (uint64_t)from->value[i]);
		if (from->absent[i] && !is_nothing(from->absent[i]))
			to->absent[i] = from->absent[i];
	}
}
