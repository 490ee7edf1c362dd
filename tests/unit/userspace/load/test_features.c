// SPDX-License-Identifier: BSD-2-Clause
/* test_features.c - userspace/load/features: the table is whole, answers are remembered, the first lack is said. */
#include "userspace/load/features.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/check_main.h"
#include "userspace/load/privilege.h"

/* Each test runs in a process of its own, so nothing is remembered from one to the next: CK_FORK=no breaks that. */

START_TEST(test_table)
{
	for (int i = 0; i < TAP_FEATURE_COUNT; i++) {
		ck_assert_ptr_nonnull(tap_feature_infos[i].name);
		ck_assert_ptr_nonnull(tap_feature_infos[i].needed_for);
		ck_assert_ptr_nonnull(tap_feature_infos[i].without);
		ck_assert_ptr_nonnull(tap_feature_infos[i].probe);
		ck_assert_ptr_null(strchr(tap_feature_infos[i].name, '\n'));
	}
	ck_assert(tap_feature_infos[TAP_FEATURE_BTF].required);
	ck_assert(!tap_feature_infos[TAP_FEATURE_UPROBE].required);
}
END_TEST

/* Every probe answers, with or without rights, and twice the same. */
START_TEST(test_probes_answer)
{
	for (int i = 0; i < TAP_FEATURE_COUNT; i++) {
		bool once = tap_feature_has((enum tap_feature)i);

		ck_assert_int_eq(tap_feature_has((enum tap_feature)i), once);
	}
	/* Nothing that compiles this is older. */
	ck_assert(tap_feature_has(TAP_FEATURE_KERNEL));
	ck_assert_int_eq(tap_feature_has(TAP_FEATURE_PRIVILEGE), tap_privilege_suffices());
}
END_TEST

START_TEST(test_answers_are_remembered)
{
	setenv("DBTAP_TEST_BTF", "/dev/null", 1);
	ck_assert(tap_feature_has(TAP_FEATURE_BTF));
	setenv("DBTAP_TEST_BTF", "/nonexistent", 1);
	ck_assert(tap_feature_has(TAP_FEATURE_BTF));
}
END_TEST

START_TEST(test_required)
{
	struct tap_error err = { "" };
	int status;

	setenv("DBTAP_TEST_BTF", "/nonexistent", 1);
	status = tap_features_require(&err);
	if (tap_privilege_suffices()) {
		ck_assert_int_eq(status, -EOPNOTSUPP);
		ck_assert_ptr_nonnull(strstr(err.text, "/sys/kernel/btf/vmlinux"));
		ck_assert_ptr_nonnull(strstr(err.text, "CONFIG_DEBUG_INFO_BTF"));
	} else {
		ck_assert_int_eq(status, -EPERM);
		ck_assert_ptr_nonnull(strstr(err.text, "CAP_BPF"));
	}
	ck_assert_int_eq(tap_features_require(NULL), status);
}
END_TEST

/* What this host has is enough for the live tests; where it is not, there is a line that says why. */
START_TEST(test_this_host)
{
	struct tap_error err = { "" };
	int status = tap_features_require(&err);

	ck_assert_int_eq(!status, !*err.text);
	ck_assert(!status || status == -EPERM || status == -EOPNOTSUPP);
}
END_TEST

/* No rights from here on; still the same user, so that coverage can be written. */
static void give_up_all(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	ck_assert_int_eq(syscall(SYS_capset, &header, none), 0);
}

/* Rights are asked for first: a probe without them fails for the wrong reason. */
START_TEST(test_without_rights)
{
	struct tap_error err = { "" };

	give_up_all();
	setenv("DBTAP_TEST_BTF", "/nonexistent", 1);
	ck_assert(!tap_privilege_suffices());
	ck_assert_int_eq(tap_features_require(&err), -EPERM);
	ck_assert_ptr_nonnull(strstr(err.text, "run dbtap as root"));
	ck_assert(!tap_feature_has(TAP_FEATURE_STATS));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("load/features");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_table);
	tcase_add_test(tests, test_probes_answer);
	tcase_add_test(tests, test_answers_are_remembered);
	tcase_add_test(tests, test_required);
	tcase_add_test(tests, test_this_host);
	tcase_add_test(tests, test_without_rights);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
