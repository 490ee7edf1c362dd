// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_json_writer.c - userspace/output/json_writer.h: exact output, misuse, hostile bytes, and libjansson's strict
 * parser as the judge of random documents where it is installed.
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#if __has_include(<jansson.h>)
#include <jansson.h>
#define HAVE_JANSSON 1
#endif

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "userspace/output/decimal.h"
#include "userspace/output/json_writer.h"
#include "userspace/output/utf8.h"

static void check_string(const char *text, const char *expected)
{
	struct tap_strbuf out;
	struct tap_json json;

	tap_strbuf_init(&out);
	tap_json_begin(&json, &out, false);
	tap_json_string(&json, text);
	ck_assert_int_eq(tap_json_end(&json), 0);
	ck_assert_str_eq(out.data, expected);
	tap_strbuf_done(&out);
}

START_TEST(test_strings)
{
	check_string("", "\"\"\n");
	check_string("caf\xc3\xa9 \xf0\x9f\x98\x80", "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"\n");
	check_string("a\"b\\c/d", "\"a\\\"b\\\\c/d\"\n");
	check_string("\b\f\n\r\t\v\x01\x1b", "\"\\b\\f\\n\\r\\t\\u000b\\u0001\\u001b\"\n");
	check_string("\x7f\xc2\x9b\xe2\x80\xae\xe2\x80\xa8\xe2\x80\xa9", "\"\\u007f\\u009b\\u202e\\u2028\\u2029\"\n");
	check_string("\xf3\xa0\x80\x81", "\"\\udb40\\udc01\"\n");
	check_string("a\xff"
		     "b\xe2\x82",
		     "\"a\xef\xbf\xbd"
		     "b\xef\xbf\xbd\xef\xbf\xbd\"\n");
	check_string(NULL, "null\n");
}
END_TEST

START_TEST(test_document_compact_and_pretty)
{
	static const char *const expected[] = {
		"{\"a\":[1,-2,18446744073709551615],\"b\":{},\"c\":[],\"d\":true,\"e\":null,\"f\":0.5}\n",
		"{\n  \"a\": [\n    1,\n    -2,\n    18446744073709551615\n  ],\n  \"b\": {},\n  \"c\": [],\n"
		"  \"d\": true,\n  \"e\": null,\n  \"f\": 0.5\n}\n",
	};

	for (int pretty = 0; pretty < 2; pretty++) {
		struct tap_strbuf out;
		struct tap_json json;

		tap_strbuf_init(&out);
		tap_json_begin(&json, &out, pretty);
		tap_json_object_begin(&json);
		tap_json_key(&json, "a");
		tap_json_array_begin(&json);
		tap_json_int(&json, 1);
		tap_json_int(&json, -2);
		tap_json_uint(&json, UINT64_MAX);
		tap_json_array_end(&json);
		tap_json_key(&json, "b");
		tap_json_object_begin(&json);
		tap_json_object_end(&json);
		tap_json_key(&json, "c");
		tap_json_array_begin(&json);
		tap_json_array_end(&json);
		tap_json_key(&json, "d");
		tap_json_bool(&json, true);
		tap_json_key(&json, "e");
		tap_json_null(&json);
		tap_json_key(&json, "f");
		tap_json_double(&json, 0.5);
		tap_json_object_end(&json);
		ck_assert_int_eq(tap_json_end(&json), 0);
		ck_assert_str_eq(out.data, expected[pretty]);
		tap_strbuf_done(&out);
	}
}
END_TEST

START_TEST(test_doubles)
{
	static const struct {
		double value;
		const char *text;
	} list[] = {
		{ 0, "0\n" },
		{ -0.0, "0\n" },
		{ 10.002153, "10.002153\n" },
		{ 1.0 / 3, "0.3333333333\n" },
		{ 1e300, "1e+300\n" },
		{ -2.5, "-2.5\n" },
		{ 12345678901.0, "1.23456789e+10\n" },
		{ NAN, "null\n" },
		{ INFINITY, "null\n" },
		{ -INFINITY, "null\n" },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct tap_strbuf out;
		struct tap_json json;

		tap_strbuf_init(&out);
		tap_json_begin(&json, &out, false);
		tap_json_double(&json, list[i].value);
		ck_assert_int_eq(tap_json_end(&json), 0);
		ck_assert_str_eq(out.data, list[i].text);
		tap_strbuf_done(&out);
	}
}
END_TEST

/* With a comma as decimal mark where such a locale is installed; otherwise it tests the plain path again. */
START_TEST(test_double_in_another_locale)
{
	static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ps_AF.UTF-8" };
	char text[TAP_DECIMAL_MAX];

	for (size_t i = 0; i < sizeof(locales) / sizeof(locales[0]); i++) {
		setlocale(LC_NUMERIC, locales[i]);
		ck_assert_str_eq(tap_decimal_format(text, 1.25), "1.25");
	}
	setlocale(LC_NUMERIC, "C");
}
END_TEST

enum call {
	END,
	OBJECT,
	OBJECT_END,
	ARRAY,
	ARRAY_END,
	KEY,
	VALUE,
};

static void make_call(struct tap_json *json, enum call call)
{
	switch (call) {
	case OBJECT:
		tap_json_object_begin(json);
		break;
	case OBJECT_END:
		tap_json_object_end(json);
		break;
	case ARRAY:
		tap_json_array_begin(json);
		break;
	case ARRAY_END:
		tap_json_array_end(json);
		break;
	case KEY:
		tap_json_key(json, "key");
		break;
	case VALUE:
		tap_json_int(json, 1);
		break;
	case END:
		break;
	}
}

START_TEST(test_misuse_is_told)
{
	static const enum call wrong[][6] = {
		{ END },
		{ OBJECT, END },
		{ OBJECT, ARRAY_END, OBJECT_END, END },
		{ ARRAY, OBJECT_END, END },
		{ OBJECT, VALUE, OBJECT_END, END },
		{ OBJECT, KEY, OBJECT_END, END },
		{ OBJECT, KEY, KEY, VALUE, OBJECT_END, END },
		{ ARRAY, KEY, VALUE, ARRAY_END, END },
		{ KEY, VALUE, END },
		{ VALUE, VALUE, END },
		{ ARRAY_END, END },
		{ ARRAY, ARRAY_END, ARRAY, ARRAY_END, END },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct tap_strbuf out;
		struct tap_json json;

		tap_strbuf_init(&out);
		tap_json_begin(&json, &out, false);
		for (size_t j = 0; wrong[i][j] != END; j++)
			make_call(&json, wrong[i][j]);
		if (tap_json_end(&json) != -EINVAL)
			ck_abort_msg("case %zu was taken: %s", i, out.data);
		tap_strbuf_done(&out);
	}
}
END_TEST

START_TEST(test_depth_is_bounded)
{
	struct tap_strbuf out;
	struct tap_json json;

	for (int over = 0; over < 2; over++) {
		tap_strbuf_init(&out);
		tap_json_begin(&json, &out, false);
		for (int i = 0; i < TAP_JSON_DEPTH + over; i++)
			tap_json_array_begin(&json);
		for (int i = 0; i < TAP_JSON_DEPTH + over; i++)
			tap_json_array_end(&json);
		ck_assert_int_eq(tap_json_end(&json), over ? -EINVAL : 0);
		tap_strbuf_done(&out);
	}
}
END_TEST

START_TEST(test_out_of_memory)
{
	for (long n = 1;; n++) {
		struct tap_strbuf out;
		struct tap_json json;
		int err;

		tap_strbuf_init(&out);
		tap_json_begin(&json, &out, true);
		tap_alloc_fail_at(n);
		tap_json_array_begin(&json);
		for (int i = 0; i < 100; i++)
			tap_json_string(&json, "some text");
		tap_json_array_end(&json);
		err = tap_json_end(&json);
		tap_strbuf_done(&out);
		if (!tap_alloc_failed()) {
			ck_assert_int_eq(err, 0);
			break;
		}
		ck_assert_int_eq(err, -ENOMEM);
	}
	tap_alloc_fail_at(0);
}
END_TEST

static void random_text(char *text, size_t max)
{
	size_t size = (size_t)rand() % max;

	for (size_t i = 0; i < size; i++)
		text[i] = (char)(rand() % 4 ? 1 + rand() % 255 : "\"\\\n\xe2\x80\xa8\xed\xf0\x9f"[rand() % 9]);
	text[size] = '\0';
}

/* What a parser must give back: the text with each byte that is not UTF-8 replaced. */
static void repair(struct tap_strbuf *out, const char *text)
{
	const char *end = text + strlen(text);
	uint32_t code;

	while (text < end) {
		size_t length = tap_utf8_decode(text, (size_t)(end - text), &code);

		tap_strbuf_add(out, length ? text : TAP_UTF8_REPLACEMENT, length ? length : 3);
		text += length ? length : 1;
	}
}

static void check_harmless(const struct tap_strbuf *out)
{
	uint32_t code = 0;

	for (size_t i = 0, length; i < out->size; i += length) {
		length = tap_utf8_decode(out->data + i, out->size - i, &code);
		ck_assert_uint_gt(length, 0);
		ck_assert(code == '\n' || tap_utf8_columns(code) >= 0);
	}
}

START_TEST(test_random_strings_round_trip)
{
	char text[80];

	srand(3);
	for (int i = 0; i < 20000; i++) {
		struct tap_strbuf out, repaired;
		struct tap_json json;

		random_text(text, sizeof(text));
		tap_strbuf_init(&out);
		tap_strbuf_init(&repaired);
		repair(&repaired, text);
		tap_json_begin(&json, &out, i % 2);
		tap_json_array_begin(&json);
		tap_json_string(&json, text);
		tap_json_array_end(&json);
		ck_assert_int_eq(tap_json_end(&json), 0);
		check_harmless(&out);
#ifdef HAVE_JANSSON
		json_error_t error;
		json_t *root = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, &error);

		ck_assert_msg(root != NULL, "%s: %s", error.text, out.data);
		ck_assert_str_eq(json_string_value(json_array_get(root, 0)), repaired.data);
		json_decref(root);
#endif
		tap_strbuf_done(&out);
		tap_strbuf_done(&repaired);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/output/json_writer");
	TCase *tcase = tcase_create("json_writer");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_strings);
	tcase_add_test(tcase, test_document_compact_and_pretty);
	tcase_add_test(tcase, test_doubles);
	tcase_add_test(tcase, test_double_in_another_locale);
	tcase_add_test(tcase, test_misuse_is_told);
	tcase_add_test(tcase, test_depth_is_bounded);
	tcase_add_test(tcase, test_out_of_memory);
	tcase_add_test(tcase, test_random_strings_round_trip);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
