// SPDX-License-Identifier: BSD-2-Clause
/* test_trap.c - which first instructions the kernel gets over without stepping. */
#include "userspace/attach/trap.h"

#include <elf.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/check_main.h"

static const struct {
	uint8_t code[4];
	enum tap_trap trap;
} instructions[] = {
	{ { 0x55, 0x48 }, TAP_TRAP_EMULATED },		   /* push %rbp */
	{ { 0x41, 0x57 }, TAP_TRAP_EMULATED },		   /* push %r15 */
	{ { 0x90, 0x90 }, TAP_TRAP_EMULATED },		   /* nop */
	{ { 0x0f, 0x1f, 0x44, 0x00 }, TAP_TRAP_EMULATED }, /* nopl */
	{ { 0xe9, 0x00 }, TAP_TRAP_EMULATED },		   /* jmp */
	{ { 0x74, 0x05 }, TAP_TRAP_EMULATED },		   /* je */
	{ { 0x0f, 0x84 }, TAP_TRAP_EMULATED },		   /* je, far */
	{ { 0xf3, 0x0f, 0x1e, 0xfa }, TAP_TRAP_STEPPED },  /* endbr64 */
	{ { 0x48, 0x83, 0xec, 0x18 }, TAP_TRAP_STEPPED },  /* sub $24,%rsp */
	{ { 0x41, 0x89 }, TAP_TRAP_STEPPED },		   /* mov */
	{ { 0x48, 0x8d }, TAP_TRAP_STEPPED },		   /* lea */
};

START_TEST(test_instructions)
{
	ck_assert_int_eq(tap_trap_of(EM_X86_64, instructions[_i].code, 4), instructions[_i].trap);
	ck_assert_int_eq(tap_trap_of(EM_AARCH64, instructions[_i].code, 4), TAP_TRAP_UNKNOWN);
	ck_assert_int_eq(tap_trap_of(EM_X86_64, instructions[_i].code, 1), TAP_TRAP_UNKNOWN);
}
END_TEST

START_TEST(test_files)
{
	char path[] = "/tmp/test_trap_XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_eq(write(fd, "\x90\x90\x55\x48\x89\xe5", 6), 6);
	close(fd);
	ck_assert_int_eq(tap_trap_at(EM_X86_64, path, 2), TAP_TRAP_EMULATED);
	ck_assert_int_eq(tap_trap_at(EM_X86_64, path, 3), TAP_TRAP_STEPPED);
	ck_assert_int_eq(tap_trap_at(EM_X86_64, path, 5), TAP_TRAP_UNKNOWN);
	ck_assert_int_eq(tap_trap_at(EM_X86_64, path, 1ull << 62), TAP_TRAP_UNKNOWN);
	ck_assert_int_eq(tap_trap_at(EM_X86_64, path, UINT64_MAX), TAP_TRAP_UNKNOWN);
	unlink(path);
	ck_assert_int_eq(tap_trap_at(EM_X86_64, path, 2), TAP_TRAP_UNKNOWN);
	ck_assert_int_eq(tap_trap_at(EM_X86_64, "/", 0), TAP_TRAP_UNKNOWN);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("attach/trap");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, test_instructions, 0, sizeof(instructions) / sizeof(instructions[0]));
	tcase_add_test(tests, test_files);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
