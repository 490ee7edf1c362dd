// SPDX-License-Identifier: BSD-2-Clause
/* test_pg_status.c - one status entry: fields, addresses of clients, times, texts cut inside a character. */
#include <arpa/inet.h>
#include <check.h>
#include <elf.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/abi/kind.h"
#include "tests/lib/check_main.h"
#include "userspace/attach/pg_layout.h"
#include "userspace/attach/pg_status.h"

static uint8_t entry[TAP_PG_STATUS_MAX];

static const struct tap_pg_layout *layout(void)
{
	return &tap_pg_layout_find(150000, EM_X86_64)->layout;
}

START_TEST(test_fields)
{
	struct tap_pg_status status;

	for (size_t i = 0; i < sizeof(entry); i++)
		entry[i] = (uint8_t)i;
	tap_pg_status_decode(layout(), entry, &status);
	ck_assert_uint_eq(status.changecount, 0x03020100);
	ck_assert_int_eq(status.procpid, 0x07060504);
	ck_assert_uint_eq(status.backend_type, 0x0b0a0908);
	ck_assert_int_eq(status.proc_start, 0x1716151413121110);
	ck_assert_uint_eq(status.database, 0x33323130);
	ck_assert_uint_eq(status.state, TAP_PG_STATE_COUNT);
	ck_assert_uint_eq(status.activity, 0xfffefdfcfbfaf9f8);
	ck_assert_uint_eq(status.query_id, 0xafaeadacabaaa9a8);
}
END_TEST

/* Numbers changed with 18, and 13 has no query id. */
START_TEST(test_fields_by_version)
{
	static const struct {
		int32_t version;
		uint32_t number;
		uint32_t state;
	} states[] = {
		{ 130000, 1, TAP_PG_STATE_IDLE },	    { 130000, 6, TAP_PG_STATE_DISABLED },
		{ 170000, 2, TAP_PG_STATE_RUNNING },	    { 170000, 7, TAP_PG_STATE_COUNT },
		{ 180000, 1, TAP_PG_STATE_UNDEFINED },	    { 180000, 2, TAP_PG_STATE_IDLE },
		{ 180000, 3, TAP_PG_STATE_RUNNING },	    { 180000, 7, TAP_PG_STATE_DISABLED },
		{ 190000, 5, TAP_PG_STATE_FASTPATH },	    { 190000, 8, TAP_PG_STATE_COUNT },
		{ 190000, UINT32_MAX, TAP_PG_STATE_COUNT },
	};
	struct tap_pg_status status;

	memset(entry, 0x55, sizeof(entry));
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		const struct tap_pg_layout *of = &tap_pg_layout_find(states[i].version, EM_X86_64)->layout;

		memcpy(entry + of->status_state, &states[i].number, sizeof(states[i].number));
		tap_pg_status_decode(of, entry, &status);
		ck_assert_uint_eq(status.state, states[i].state);
		ck_assert_uint_eq(status.query_id, states[i].version < 140000 ? 0 : 0x5555555555555555);
	}
}
END_TEST

START_TEST(test_kinds)
{
	ck_assert_uint_eq(tap_pg_status_kind(layout(), 3), TAP_KIND_CLIENT);
	ck_assert_uint_eq(tap_pg_status_kind(layout(), 0), TAP_KIND_UNKNOWN);
	ck_assert_uint_eq(tap_pg_status_kind(layout(), 13), TAP_KIND_UNKNOWN);
	ck_assert_uint_eq(tap_pg_status_kind(layout(), 32), TAP_KIND_UNKNOWN);
	ck_assert_uint_eq(tap_pg_status_kind(layout(), UINT32_MAX), TAP_KIND_UNKNOWN);
}
END_TEST

static void check_client(const void *address, size_t size, const char *expected, uint16_t expected_port)
{
	char text[TAP_PG_CLIENT_MAX];
	uint16_t port;

	memset(entry, 0, sizeof(entry));
	memcpy(entry + layout()->status_client_addr, address, size);
	tap_pg_status_client(layout(), entry, text, &port);
	ck_assert_str_eq(text, expected);
	ck_assert_uint_eq(port, expected_port);
}

START_TEST(test_clients)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(65535) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(5000) };
	sa_family_t other = AF_UNIX;

	check_client(&other, sizeof(other), "[local]", 0);
	other = AF_UNSPEC;
	check_client(&other, sizeof(other), "", 0);
	other = AF_NETLINK;
	check_client(&other, sizeof(other), "", 0);
	memset(&in4.sin_addr, 0xff, sizeof(in4.sin_addr));
	check_client(&in4, sizeof(in4), "255.255.255.255:65535", 65535);
	memset(&in6.sin6_addr, 0xfe, sizeof(in6.sin6_addr));
	check_client(&in6, sizeof(in6), "[fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe]:5000", 5000);
	in6.sin6_addr = in6addr_loopback;
	check_client(&in6, sizeof(in6), "[::1]:5000", 5000);
}
END_TEST

START_TEST(test_times)
{
	ck_assert_int_eq(tap_pg_time_us(0), 0);
	ck_assert_int_eq(tap_pg_time_us(1), 946684800000001);
	ck_assert_int_eq(tap_pg_time_us(-1), 946684799999999);
	ck_assert_int_eq(tap_pg_time_us(INT64_MAX), 0);
	ck_assert_int_eq(tap_pg_time_us(INT64_MIN), 0);
}
END_TEST

START_TEST(test_cut_texts)
{
	static const struct {
		const char *text;
		size_t length;
	} texts[] = {
		{ "", 0 },
		{ "a", 1 },
		{ "a\xc3", 1 },
		{ "a\xc3\xa4", 3 },
		{ "a\xe2", 1 },
		{ "a\xe2\x82", 1 },
		{ "a\xe2\x82\xac", 4 },
		{ "a\xf0\x9f\x98", 1 },
		{ "\xf0\x9f\x98", 0 },
		{ "\xf0\x9f", 0 },
		{ "\xf0\x9f\x98\x80", 4 },
		{ "a\xff", 2 },
		{ "\x80", 1 },
		{ "\x80\x80\x80", 3 },
		{ "\x80\x80\x80\x80", 4 },
		{ "a\xc1", 2 },
		{ "\xf5\x80", 2 },
		{ "\xe4\xe4", 1 },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		ck_assert_uint_eq(tap_pg_text_clip(texts[i].text, strlen(texts[i].text)), texts[i].length);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_status");
	TCase *tcase = tcase_create("pg_status");

	tcase_add_test(tcase, test_fields);
	tcase_add_test(tcase, test_fields_by_version);
	tcase_add_test(tcase, test_kinds);
	tcase_add_test(tcase, test_clients);
	tcase_add_test(tcase, test_times);
	tcase_add_test(tcase, test_cut_texts);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
