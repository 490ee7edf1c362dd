// SPDX-License-Identifier: BSD-2-Clause
/* test_engines.c - that each engine's tables are whole, and which engine an instance's id names; hostile ids. */
#include <stdio.h>
#include <string.h>

#include "correlate/engine/client.h"
#include "correlate/engine/terms.h"
#include "tests/lib/check_main.h"
#include "userspace/attach/engine.h"

START_TEST(test_terms_are_whole)
{
	const struct tap_terms *terms = tap_terms_of((enum tap_engine)_i);

	ck_assert_str_ne(terms->name, "");
	ck_assert_ptr_nonnull(terms->stems[0]);
	ck_assert_ptr_nonnull(terms->client_read);
	ck_assert(terms->sort_memory || !terms->advice[TAP_ADVICE_TEMP_SPILL]);
	ck_assert_ptr_nonnull(terms->wait_event);
	ck_assert_ptr_nonnull(terms->wait_event_is_idle);
	ck_assert_ptr_nonnull(terms->file_below);
	ck_assert_ptr_nonnull(terms->file_by_shape);
	ck_assert_ptr_nonnull(terms->statement_reports_progress);
	ck_assert(!terms->statement_reports_progress(NULL));
}
END_TEST

/* Names are filled whatever the number. */
START_TEST(test_wait_events_have_names)
{
	const struct tap_terms *terms = tap_terms_of((enum tap_engine)_i);

	for (uint32_t top = 0; top < 256; top++) {
		char class_name[TAP_WAIT_CLASS_MAX] = "", event_name[TAP_WAIT_NAME_MAX] = "";

		terms->wait_event(0, top << 24 | 0xffff, class_name, event_name);
		ck_assert_str_ne(class_name, "");
		ck_assert_str_ne(event_name, "");
		terms->wait_event_is_idle(top << 24);
	}
}
END_TEST

START_TEST(test_clients_are_whole)
{
	const struct tap_client *client = tap_client_of((enum tap_engine)_i);
	struct tap_error err = { "" };

	ck_assert_ptr_nonnull(client->open);
	ck_assert_ptr_nonnull(client->names);
	ck_assert_ptr_nonnull(client->sessions);
	ck_assert_ptr_nonnull(client->texts);
	ck_assert_ptr_nonnull(client->advise);
	ck_assert(!client->relations == !client->catalog_open && !client->relation_names == !client->catalog_open);
	client->close(NULL);
	ck_assert(!client->alive(NULL));
	/* Broken, or an engine that dbtap does not connect to yet. */
	ck_assert_int_lt(client->conninfo_check("x", "password=secret", &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "x"));
}
END_TEST

START_TEST(test_attaching_is_whole)
{
	const struct tap_attach *attach = tap_attach_of((enum tap_engine)_i);

	ck_assert_str_ne(attach->product, "");
	ck_assert_ptr_nonnull(attach->statement_end);
	ck_assert_ptr_nonnull(attach->folder.changed_at_start);
	ck_assert_uint_ge(attach->first_role, TAP_ROLE_BACKEND);
	ck_assert_uint_lt(attach->first_kind, TAP_KIND_COUNT);
	ck_assert_ptr_nonnull(attach->find);
	ck_assert_ptr_nonnull(attach->instance);
	ck_assert_ptr_nonnull(attach->running);
	ck_assert_ptr_nonnull(attach->sessions);
	ck_assert_ptr_nonnull(attach->statement);
	ck_assert_ptr_nonnull(attach->lock_decode);
	ck_assert_ptr_nonnull(attach->locks_open);
	ck_assert_ptr_nonnull(attach->locks_read);
	attach->locks_close(NULL);
}
END_TEST

/* Numbers from records and from nowhere get some table. */
START_TEST(test_no_engine)
{
	ck_assert_ptr_eq(tap_terms_of(TAP_ENGINE_COUNT), tap_terms_of((enum tap_engine)0));
	ck_assert_ptr_eq(tap_client_of((enum tap_engine) - 1), tap_client_of((enum tap_engine)0));
	ck_assert_ptr_eq(tap_attach_of((enum tap_engine)255), tap_attach_of((enum tap_engine)0));
}
END_TEST

static const char *const no_ids[] = { "", "-", "postgres", "postgres5432", "postgresql-5432", "Postgres-5432", "a-b" };

START_TEST(test_ids)
{
	enum tap_engine engine = TAP_ENGINE_COUNT;

	ck_assert(tap_engine_of_id("postgres-5432", &engine));
	ck_assert_int_eq(engine, TAP_ENGINE_POSTGRES);
	ck_assert(tap_engine_of_id("postgres-pid-77", &engine));
	for (size_t i = 0; i < sizeof(no_ids) / sizeof(no_ids[0]); i++) {
		engine = TAP_ENGINE_COUNT;
		ck_assert_msg(!tap_engine_of_id(no_ids[i], &engine), "%s", no_ids[i]);
		ck_assert_int_eq(engine, TAP_ENGINE_COUNT);
	}
}
END_TEST

/* The stems of no two engines begin the same id. */
START_TEST(test_stems_differ)
{
	for (int i = 0; i < TAP_ENGINE_COUNT; i++) {
		for (const char *const *stem = tap_terms_of((enum tap_engine)i)->stems; *stem; stem++) {
			enum tap_engine engine = TAP_ENGINE_COUNT;
			char id[64];

			snprintf(id, sizeof(id), "%s-1", *stem);
			ck_assert(tap_engine_of_id(id, &engine));
			ck_assert_int_eq(engine, i);
		}
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/engine");
	TCase *tests = tcase_create("engines");

	tcase_add_loop_test(tests, test_terms_are_whole, 0, TAP_ENGINE_COUNT);
	tcase_add_loop_test(tests, test_wait_events_have_names, 0, TAP_ENGINE_COUNT);
	tcase_add_loop_test(tests, test_clients_are_whole, 0, TAP_ENGINE_COUNT);
	tcase_add_loop_test(tests, test_attaching_is_whole, 0, TAP_ENGINE_COUNT);
	tcase_add_test(tests, test_no_engine);
	tcase_add_test(tests, test_ids);
	tcase_add_test(tests, test_stems_differ);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
