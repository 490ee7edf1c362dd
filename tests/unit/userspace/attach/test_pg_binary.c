// SPDX-License-Identifier: BSD-2-Clause
/* test_pg_binary.c - versions and symbols of server executables, made and installed ones. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_elf.h"
#include "userspace/attach/pg_binary.h"

static void check_version(const char *text, const char *version, int32_t number)
{
	char got[32] = "unchanged";
	int32_t got_number = 42;

	ck_assert_int_eq(tap_pg_version_parse(text, got, &got_number), version ? 0 : -EBADMSG);
	ck_assert_str_eq(got, version ? version : "unchanged");
	ck_assert_int_eq(got_number, version ? number : 42);
}

START_TEST(test_versions)
{
	check_version("PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64", "15.18", 150018);
	check_version("PostgreSQL 15.2", "15.2", 150002);
	check_version("PostgreSQL 19rc1 on x", "19rc1", 190000);
	check_version("PostgreSQL 18devel on x", "18devel", 180000);
	check_version("PostgreSQL 19beta2, compiled", "19beta2", 190000);
	check_version("PostgreSQL 9.6.24 on x", NULL, 0);
	check_version("PostgreSQL 15.2.1 on x", NULL, 0);
	check_version("PostgreSQL 150.2 on x", NULL, 0);
	check_version("PostgreSQL 15.99999 on x", NULL, 0);
	check_version("PostgreSQL 99999999999999999999999 on x", NULL, 0);
	check_version("PostgreSQL %s (%s)", NULL, 0);
	check_version("PostgreSQL -15.2", NULL, 0);
	check_version("PostgreSQL 15.2\033[31m on x", NULL, 0);
	check_version("PostgreSQL 15.2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, 0);
	check_version("PostgreSQL ", NULL, 0);
	check_version("postgres (PostgreSQL) 15.2", NULL, 0);
	check_version("", NULL, 0);
}
END_TEST

static int write_elf(const void *text, size_t size, const struct fake_symbol *symbols, size_t count)
{
	char path[] = "/tmp/tap_pg_binary_XXXXXX";
	struct fake_elf elf = {
		.type = ET_DYN,
		.machine = EM_X86_64,
		.symbols = symbols,
		.n_symbols = count,
		.rodata = text,
		.rodata_size = size,
	};
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	fake_elf_write(path, &elf);
	unlink(path);
	return fd;
}

static void check_text(const void *text, size_t size, const char *version)
{
	struct tap_pg_binary binary;
	int fd = write_elf(text, size, NULL, 0);

	ck_assert_int_eq(tap_pg_binary_read(fd, &binary, NULL), 0);
	ck_assert_str_eq(binary.version, version);
	ck_assert_str_eq(binary.build_id, "");
	ck_assert_uint_eq(binary.end_command_offset, 0);
	tap_pg_binary_done(&binary);
	close(fd);
}

START_TEST(test_version_among_other_texts)
{
	static const char certain[] =
		"\0PostgreSQL 16.1 migration\0\0PostgreSQL 15.3 on x86, compiled by gcc\0PostgreSQL 17.1\0";
	static const char inside[] = "\0for PostgreSQL 14.1\0PostgreSQL 15.4\0";
	static const char open_end[] = { 'P', 'o', 's', 't', 'g', 'r', 'e', 'S', 'Q', 'L', ' ', '1', '5', '.', '1' };
	static char far_end[2000] = "PostgreSQL 15.1 ";

	check_text(certain, sizeof(certain), "15.3");
	check_text(inside, sizeof(inside), "15.4");
	check_text(open_end, sizeof(open_end), "");
	memset(far_end + 16, 'x', sizeof(far_end) - 17);
	check_text(far_end, sizeof(far_end), "");
	check_text("", 0, "");
}
END_TEST

START_TEST(test_symbols)
{
	struct fake_symbol symbols[] = {
		{ "MyProcPid", 0x10, 4, STT_OBJECT, false },
		{ "PostmasterPid", 0x20, 8, STT_OBJECT, false },
		{ "DataDir", 0x30, 8, STT_FUNC, false },
		{ "EndCommand", FAKE_ELF_TEXT + 16, 8, STT_FUNC, false },
	};
	struct tap_pg_binary binary;
	int fd = write_elf("", 1, symbols, 4);

	ck_assert_int_eq(tap_pg_binary_read(fd, &binary, NULL), 0);
	ck_assert(binary.found[TAP_PG_SYMBOL_MY_PROC_PID]);
	ck_assert_uint_eq(binary.value[TAP_PG_SYMBOL_MY_PROC_PID], 0x10);
	ck_assert(!binary.found[TAP_PG_SYMBOL_POSTMASTER_PID]); /* of another size */
	ck_assert(!binary.found[TAP_PG_SYMBOL_DATA_DIR]);	/* a function */
	ck_assert_str_eq(tap_pg_binary_lacks(&binary, TAP_PG_NEED_RECOGNISE), "PostmasterPid");
	ck_assert_uint_eq(binary.end_command_offset, FAKE_ELF_TEXT + 16);
	tap_pg_binary_done(&binary);
	tap_pg_binary_done(NULL);
	close(fd);
}
END_TEST

START_TEST(test_what_is_no_binary)
{
	struct tap_error err = { "" };
	struct tap_pg_binary binary;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(tap_pg_binary_read(fd, &binary, &err), -EBADMSG);
	ck_assert_str_ne(err.text, "");
	close(fd);
}
END_TEST

START_TEST(test_the_installed_server)
{
	static const char *const path = "/usr/lib/postgresql/15/bin/postgres";
	struct tap_pg_binary binary;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		printf("# not tried: %s is not installed\n", path);
		return;
	}
	ck_assert_int_eq(tap_pg_binary_read(fd, &binary, NULL), 0);
	ck_assert_ptr_null(tap_pg_binary_lacks(&binary, TAP_PG_NEED_EXTRA));
	ck_assert_int_eq(binary.version_number / 10000, 15);
	ck_assert_int_eq(strncmp(binary.version, "15.", 3), 0);
	ck_assert_uint_eq(strlen(binary.build_id), 40);
	ck_assert_uint_ne(binary.end_command_offset, 0);
	tap_pg_binary_done(&binary);
	close(fd);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_binary");
	TCase *tcase = tcase_create("pg_binary");

	tcase_add_test(tcase, test_versions);
	tcase_add_test(tcase, test_version_among_other_texts);
	tcase_add_test(tcase, test_symbols);
	tcase_add_test(tcase, test_what_is_no_binary);
	tcase_add_test(tcase, test_the_installed_server);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
