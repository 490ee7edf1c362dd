// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_my_template.c - a text that fits a template has the id that its digest gives, whatever the text: the one is
 * proved by the other, on chosen texts and on texts put together and changed at random.
 */
#include "bpf/abi/my_template.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/check_main.h"

struct text {
	char bytes[TAP_MY_MATCH_TEXT + TAP_MY_TEMPLATE_SPARE];
	__u32 size;
};

static void text_set(struct text *text, const char *bytes)
{
	memset(text, 0, sizeof(*text));
	snprintf(text->bytes, TAP_MY_MATCH_TEXT, "%s", bytes);
	text->size = strlen(text->bytes);
}

static __u64 digest_of(const struct text *text, struct tap_my_numbers *numbers)
{
	struct tap_my_digest digest;

	tap_my_digest_init(&digest);
	tap_my_numbers_init(numbers);
	for (__u32 i = 0; i < text->size; i++) {
		numbers->before = digest.state;
		tap_my_digest_step(&digest, (unsigned char)text->bytes[i]);
		tap_my_numbers_note(numbers, &digest, i, (unsigned char)text->bytes[i]);
	}
	tap_my_number_end(numbers, text->size);
	return tap_my_digest_final(&digest);
}

/* As the BPF program keeps one; false: this text has none. */
static bool template_make(struct tap_my_template *template, const struct text *text)
{
	struct tap_my_numbers numbers;
	__u64 id = digest_of(text, &numbers);

	memset(template, 0, sizeof(*template));
	if (text->size < 8 || text->size > TAP_MY_TEMPLATE_TEXT || numbers.over || !tap_my_template_may(text->bytes))
		return false;
	for (__u32 i = 0; i < text->size; i++)
		tap_my_template_step(template, &numbers, text->bytes, i);
	tap_my_template_final(template, id);
	return true;
}

static bool fits(const struct tap_my_template *template, const struct text *text)
{
	struct tap_my_match match = { .size = text->size };

	for (int i = 0; i < TAP_MY_MATCH_STEPS; i++) {
		if (tap_my_match_step(&match, template, text->bytes))
			return match.matches;
	}
	ck_abort_msg("not over after all steps: %s", text->bytes);
	return false;
}

static bool fits_of(const char *first, const char *second)
{
	struct tap_my_template template;
	struct text a, b;

	text_set(&a, first);
	text_set(&b, second);
	ck_assert_msg(template_make(&template, &a), "%s", first);
	ck_assert_msg(fits(&template, &a), "%s", first);
	return fits(&template, &b);
}

START_TEST(digits_are_counted)
{
	for (int many = 0; many <= 8; many++) {
		for (int next = 0; next < 256; next++) {
			char bytes[8];
			__u64 word;

			memset(bytes, next, sizeof(bytes));
			for (int i = 0; i < many; i++)
				bytes[i] = (char)('0' + (i * 7 + next) % 10);
			memcpy(&word, bytes, sizeof(word));
			ck_assert_uint_eq(tap_my_digits(word), next >= '0' && next <= '9' ? 8 : (unsigned)many);
		}
	}
}
END_TEST

START_TEST(numbers_may_differ)
{
	ck_assert(fits_of("SELECT c FROM sbtest1 WHERE id=5023", "SELECT c FROM sbtest1 WHERE id=7"));
	ck_assert(fits_of("SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest1 WHERE id=12345678"));
	ck_assert(fits_of("SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest1 WHERE id=12345678901234567890"));
	ck_assert(fits_of("SELECT 1, 2 FROM t LIMIT 3", "SELECT 11111111, 0 FROM t LIMIT 987654321"));
	ck_assert(fits_of("update t set k=k+1 where id=5", "update t set k=k+10 where id=500"));
	ck_assert(fits_of("INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (22, 'a')"));
	ck_assert(fits_of("SELECT -1 ", "SELECT -77 "));
	ck_assert(fits_of("SELECT t1.a FROM t1", "SELECT t1.a FROM t1"));
}
END_TEST

START_TEST(nothing_else_may)
{
	static const char *const pairs[][2] = {
		{ "SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest2 WHERE id=5" },
		{ "SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest1 WHERE id=5.0" },
		{ "SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest1 WHERE id=" },
		{ "SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest1 WHERE id=5 " },
		{ "SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest1 WHERE id=x" },
		{ "SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest1 WHERE id=-5" },
		{ "SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest1 WHERE id=5e3" },
		{ "SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest1 WHERE id=0x5" },
		{ "SELECT c FROM sbtest1 WHERE id=5", "SELECT c FROM sbtest1 WHERE i" },
		{ "SELECT 1.5 FROM t", "SELECT 2.5 FROM t" },
		{ "SELECT 0x1f FROM t", "SELECT 0x2f FROM t" },
		{ "SELECT 1e5 FROM t", "SELECT 1e6 FROM t" },
		{ "SELECT a FROM 2020_sales", "SELECT a FROM 2021_sales" },
		{ "SELECT a FROM `1`", "SELECT a FROM `2`" },
		{ "SELECT a /* 1 */", "SELECT a /* 2 */" },
		{ "SELECT 'a1'", "SELECT 'a2'" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		ck_assert_msg(!fits_of(pairs[i][0], pairs[i][1]), "%s, %s", pairs[i][0], pairs[i][1]);
}
END_TEST

/* What may change whose session it is has none; nor has what does not fit in. */
START_TEST(some_have_none)
{
	static const char *const none[] = {
		"USE other1", "SET ROLE x, 1", "CALL p(1, 2)", "EXECUTE s USING @a", "CHANGE USER", "select",
		"",	      " SELECT 1, 2"
	};
	struct tap_my_template template;
	struct text text;
	char many[512];

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		text_set(&text, none[i]);
		ck_assert_msg(!template_make(&template, &text), "%s", none[i]);
	}
	text_set(&text, "SELECT 1,2,3,4,5,6,7,8");
	ck_assert(template_make(&template, &text));
	text_set(&text, "SELECT 1,2,3,4,5,6,7,8,9");
	ck_assert(!template_make(&template, &text));
	snprintf(many, sizeof(many), "SELECT '%0*d'", TAP_MY_TEMPLATE_TEXT - 9, 5);
	text_set(&text, many);
	ck_assert_uint_eq(text.size, TAP_MY_TEMPLATE_TEXT);
	ck_assert(template_make(&template, &text));
	ck_assert(fits(&template, &text));
	snprintf(many, sizeof(many), "SELECT '%0*d'", TAP_MY_TEMPLATE_TEXT - 8, 5);
	text_set(&text, many);
	ck_assert(!template_make(&template, &text));
}
END_TEST

/* The longest text there can be, of digits, is through in the steps there are. */
START_TEST(long_texts_end)
{
	struct tap_my_template template;
	struct text text;

	text_set(&text, "SELECT 1,2,3,4,5,6,7,8");
	ck_assert(template_make(&template, &text));
	memset(text.bytes + 21, '7', TAP_MY_MATCH_TEXT - 22);
	text.size = TAP_MY_MATCH_TEXT - 1;
	ck_assert(fits(&template, &text));
}
END_TEST

/* A template in memory that is not one: it ends, and nothing is read beyond (the sanitizer looks). */
START_TEST(nonsense_ends)
{
	unsigned state = (unsigned)_i + 1;
	struct tap_my_template template;
	struct text text;
	unsigned char *bytes = (unsigned char *)&template;

	for (size_t i = 0; i < sizeof(template); i++)
		bytes[i] = (unsigned char)((state = state * 1103515245 + 12345) >> 16);
	memset(text.bytes, _i % 2 ? '1' : 'a', sizeof(text.bytes));
	text.size = sizeof(text.bytes);
	for (int i = 0; i < TAP_MY_MATCH_STEPS; i++) {
		struct tap_my_match match = {
			.size = text.size, .at = state, .in = (state >> 3), .number = state >> 7
		};

		state = state * 1103515245 + 12345;
		tap_my_match_step(&match, &template, text.bytes);
	}
}
END_TEST

static unsigned random_state = 4711;

static unsigned next_random(unsigned below)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 16) % below;
}

static void put_together(char *ret, size_t size)
{
	static const char *const pieces[] = { " ",   "1",  "22",   "333",  "4.5", ".",	  "t1", "a",  "-",  "--",
					      "-- ", "/*", "*/",   "/*!5", "'",	  "\"",	  "\\", "`",  "@",  "@@",
					      "(",   ")",  ",",	   "=",	   "0x",  "x'",	  "e1", "E+", "#",  "\n",
					      ";",   "?",  "NULL", "in",   "$1",  "\xc3", "1e", "0",  "b'", "9_" };
	unsigned many = next_random(14);

	snprintf(ret, size, "%s", next_random(2) ? "SELECT " : "update t set ");
	while (many--)
		strncat(ret, pieces[next_random(sizeof(pieces) / sizeof(pieces[0]))], size - strlen(ret) - 1);
}

/* Other digits, or another byte, or one less. */
static void change(struct text *text)
{
	unsigned at = next_random(text->size);

	for (__u32 i = 0; i < text->size; i++) {
		if (text->bytes[i] >= '0' && text->bytes[i] <= '9' && next_random(3))
			text->bytes[i] = (char)('0' + next_random(10));
	}
	if (!next_random(4)) {
		text->bytes[at] = "1a.'`- ("[next_random(8)];
	} else if (!next_random(4)) {
		memmove(text->bytes + at, text->bytes + at + 1, text->size - at);
		text->size--;
	} else if (!next_random(3)) {
		memmove(text->bytes + at + 1, text->bytes + at, text->size - at);
		text->bytes[at] = (char)('0' + next_random(10));
		text->size++;
	}
}

START_TEST(what_fits_has_the_id)
{
	unsigned fitting = 0, templates = 0;

	for (int i = 0; i < 60000; i++) {
		struct tap_my_template template;
		struct tap_my_numbers numbers;
		struct text text;
		char bytes[200];

		put_together(bytes, sizeof(bytes));
		text_set(&text, bytes);
		if (!template_make(&template, &text))
			continue;
		templates++;
		ck_assert_msg(fits(&template, &text), "%s", bytes);
		for (int j = 0; j < 4; j++) {
			change(&text);
			if (!fits(&template, &text))
				continue;
			fitting++;
			ck_assert_msg(digest_of(&text, &numbers) == template.id, "%s / %s", bytes, text.bytes);
		}
	}
	ck_assert_uint_gt(templates, 10000);
	ck_assert_uint_gt(fitting, 10000);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("my_template");
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, digits_are_counted);
	tcase_add_test(tcase, numbers_may_differ);
	tcase_add_test(tcase, nothing_else_may);
	tcase_add_test(tcase, some_have_none);
	tcase_add_test(tcase, long_texts_end);
	tcase_add_loop_test(tcase, nonsense_ends, 0, 20);
	tcase_add_test(tcase, what_fits_has_the_id);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
