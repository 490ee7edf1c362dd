// SPDX-License-Identifier: BSD-2-Clause
/* test_files.c - which object a file below a data folder is, by its name; names may be anything. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "correlate/engine/mysql/files.h"
#include "tests/lib/check_main.h"

static struct tap_file_object decoded(const char *folder, const char *name)
{
	struct tap_file_place place = { .names = { "", "", "", "" }, .above = "" };
	struct tap_file_object object = { 0 };
	struct tap_file_root root = { 0 };

	if (folder)
		place.names[place.count++] = folder;
	place.names[place.count++] = name;
	tap_my_file_below(&root, &place, &object);
	return object;
}

static const struct {
	const char *folder, *name, *path;
	enum tap_file_kind kind;
} known[] = {
	{ "shop", "items.ibd", "shop.items", TAP_FILE_TABLE },
	{ "shop", "items.MYI", "shop.items", TAP_FILE_TABLE },
	{ "shop", "items#P#p0.ibd", "shop.items(p0)", TAP_FILE_TABLE },
	{ "shop", "items#p#p0.ibd", "shop.items(p0)", TAP_FILE_TABLE },
	{ "shop", "items#P#p0#SP#p0sp1.ibd", "shop.items(p0,p0sp1)", TAP_FILE_TABLE },
	{ "my@002dshop", "a@0020b.ibd", "my-shop.a b", TAP_FILE_TABLE },
	{ "shop", "@00fcber@20ac.ibd",
	  "shop.\xc3\xbc"
	  "ber\xe2\x82\xac",
	  TAP_FILE_TABLE },
	{ "shop", "#sql-alter-1234-5.ibd", "shop.#sql-alter-1234-5", TAP_FILE_TEMP_RELATION },
	{ "shop", "db.opt", "shop/db.opt", TAP_FILE_SERVER },
	{ "#innodb_redo", "#ib_redo12", "#innodb_redo", TAP_FILE_WAL },
	{ "#innodb_temp", "temp_3.ibt", "#innodb_temp", TAP_FILE_TEMP },
	{ NULL, "ib_logfile0", "ib_logfile0", TAP_FILE_WAL },
	{ NULL, "ibdata1", "ibdata1", TAP_FILE_SYSTEM },
	{ NULL, "mysql.ibd", "mysql.ibd", TAP_FILE_SYSTEM },
	{ NULL, "undo001", "undo001", TAP_FILE_UNDO },
	{ NULL, "undo_002", "undo_002", TAP_FILE_UNDO },
	{ NULL, "#ib_16384_1.dblwr", "#ib_16384_1.dblwr", TAP_FILE_DOUBLEWRITE },
	{ NULL, "ibtmp1", "ibtmp1", TAP_FILE_TEMP },
	{ NULL, "bin.000042", "bin", TAP_FILE_BINLOG },
	{ NULL, "host-relay-bin.1000000", "host-relay-bin", TAP_FILE_BINLOG },
	{ NULL, "bin.index", "bin.index", TAP_FILE_SERVER },
	{ NULL, "x.00042", "x.00042", TAP_FILE_SERVER },
};

START_TEST(names_that_are_known)
{
	struct tap_file_object object = decoded(known[_i].folder, known[_i].name);

	ck_assert_str_eq(object.path, known[_i].path);
	ck_assert_str_eq(tap_file_kind_name(object.kind), tap_file_kind_name(known[_i].kind));
}
END_TEST

/* Marks and numbers that are cut, and every byte there is: within the path's room, and NUL-terminated. */
START_TEST(names_that_are_not)
{
	static const char *const pieces[] = { "#",     "#P",	"#P#",	"#SP#", "@",	   "@00",
					      "@d800", "@zzzz", ".ibd", ".",	"\xff\xfe" };
	char name[256], longest[250];

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		for (size_t j = 0; j < sizeof(pieces) / sizeof(*pieces); j++) {
			struct tap_file_object object;

			snprintf(name, sizeof(name), "%s%s.ibd", pieces[i], pieces[j]);
			object = decoded(pieces[j], name);
			ck_assert_uint_lt(strnlen(object.path, sizeof(object.path)), sizeof(object.path));
			ck_assert_uint_lt(object.kind, TAP_FILE_KIND_COUNT);
		}
	}
	memset(longest, '@', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	snprintf(name, sizeof(name), "%.240s.ibd", longest);
	ck_assert_uint_lt(strlen(decoded(longest, name).path), 128);
	ck_assert_str_eq(decoded("s", "@d800.ibd").path, "s.@d800");
	ck_assert_str_eq(decoded("s", "a#P#.ibd").path, "s.a()");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("mysql/files");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, names_that_are_known, 0, sizeof(known) / sizeof(*known));
	tcase_add_test(tests, names_that_are_not);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
