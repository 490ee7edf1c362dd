// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_render_locks.c - the locks view as text, JSON, CSV, DOT and SVG: the tree as it is read, a drawing that is well
 * formed and whose boxes do not lie on each other, hostile names in every place.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if __has_include(<jansson.h>)
#include <jansson.h>
#define HAVE_JANSSON 1
#endif

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/output/render_check.h"
#include "tests/unit/userspace/output/sample_locks.h"
#include "userspace/output/csv.h"
#include "userspace/output/dot.h"
#include "userspace/output/escape.h"
#include "userspace/output/json.h"
#include "userspace/output/svg.h"
#include "userspace/output/text.h"

static void render_text(const struct tap_view *view, unsigned width, struct tap_strbuf *out)
{
	tap_strbuf_init(out);
	tap_text_render(view, TAP_PART_LOCKS, width, out);
	ck_assert(!out->failed);
}

/* clang-format off: tables are to be seen as they are */
static const char tree_at_80[] =
	"8 sessions wait for a lock, the longest for 2.00 s, behind 2 that wait for none\n"
	"PID             WAITS    COST  WAITS FOR, OR DOES           QUERY\n"
	"4711                -  5.25 s  idle in transaction, waits" TAP_ELLIPSIS "  UPDATE accounts SET" TAP_ELLIPSIS
	"\n"
	"├ 4712         2.00 s       -  transaction 742, ShareLock   UPDATE accounts SET" TAP_ELLIPSIS "\n"
	"├ 4713         1.50 s       -  tuple (3,7) of public.acco" TAP_ELLIPSIS "  UPDATE accounts SET" TAP_ELLIPSIS
	"\n"
	"└ 4714         900 ms  850 ms  public.accounts, AccessExc" TAP_ELLIPSIS "  ALTER TABLE account" TAP_ELLIPSIS
	"\n"
	"  └ 4715       850 ms       -  public.accounts, AccessSha" TAP_ELLIPSIS "  SELECT * FROM accou" TAP_ELLIPSIS
	"\n"
	"prepared 743        -  300 ms  prepared transaction order" TAP_ELLIPSIS "  -\n"
	"└ 4716         300 ms       -  transaction 743, ShareLock   DELETE FROM accounts\n"
	"5001          40.0 ms       -  deadlock: transaction 801," TAP_ELLIPSIS "  UPDATE a SET x = $1\n"
	"├ 5002        20.0 ms       -  deadlock: transaction 800," TAP_ELLIPSIS "  UPDATE b SET x = $1\n"
	"└ 5003        10.0 ms       -  transaction 800, ShareLock   UPDATE c SET x = $1\n";

static const char below_at_160[] =
	"DEADLOCKS\n"
	"postgres-5432: 2 sessions, closed at 03:04:14.250 UTC, ended by the server's error for 5002 at 03:04:15.001\n"
	"- 5001 waits for 5002, ShareLock on transaction 801: UPDATE a SET x = $1\n"
	"- 5002 waits for 5001, ShareLock on transaction 800: UPDATE b SET x = $1\n"
	"\n"
	"CONVOYS\n"
	"4 wait behind 4711, most over public.accounts, 5.25 s lost: UPDATE accounts SET balance = $1\n"
	"\n"
	"LOST IN THIS WINDOW\n"
	"  LOST  WAITS  LONGEST  LOCK                                        BY QUERY                                  "
	" "
	"     TO\n"
	"6.10 s     41   2.00 s  transactions of public.accounts, ShareLock  UPDATE accounts SET balance = $1 WHERE id "
	"="
	" $2  UPDATE accounts SET balance = $1\n";

static const char end_at_160[] =
	"WAITS THAT ENDED\n"
	"BEGAN          PID  WAITED  BEHIND          USER  LOCK                        QUERY\n"
	"03:04:14.880  4720  120 ms  4711, prepared  app   transaction 700, ShareLock  UPDATE accounts SET z = $1\n"
	"\n"
	"RISKS\n"
	"postgres-5432: order_inversion, 40.0 ms lost: both orders were seen in this window\n"
	"- public.a before public.b, 12 times: UPDATE a SET x = $1\n"
	"- public.b before public.a, 3 times: UPDATE b SET x = $1\n"
	"- to do: Take both in one order\n";
/* clang-format on */

START_TEST(test_text)
{
	struct tap_view view = sample_locks_view();
	struct tap_strbuf out;

	render_text(&view, 80, &out);
	check_holds(&out, tree_at_80);
	check_holds(&out, "  LOST  LOCK");
	check_holds(&out, "BY QUERY");
	check_width(&out, 80);
	tap_strbuf_done(&out);
	render_text(&view, 160, &out);
	check_holds(&out, below_at_160);
	check_holds(&out, end_at_160);
	check_holds(&out, "\n4711                -       4  5.25 s  <=12.0 s  12.0 s  shop");
	check_holds(&out, "deadlock: transaction 801, ShareLock, also behind 5002");
	check_width(&out, 160);
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_text_of_how_long)
{
	struct tap_view view = sample_locks_view();
	struct tap_strbuf out;

	render_text(&view, 160, &out);
	check_holds(&out, "\nWAITS THAT ENDED, BY QUERY\n");
	check_holds(&out,
		    "\n6.22 s     42       2  120 ms  300 ms  1.50 s   2.00 s  ................█...█............▁");
	check_holds(&out, "\nWAITS THAT ENDED, BY LOCK\n");
	check_holds(&out, "rows of public.accounts\n");
	check_holds(&out, "\nWAITS WITHIN THE SERVER\n");
	check_holds(&out, "LWLock:WALInsert");
	tap_strbuf_done(&out);
	for (int part = TAP_PART_LOCK_LOSSES; part <= TAP_PART_LOCK_INTERNAL; part++) {
		tap_strbuf_init(&out);
		tap_text_render(&view, part, 80, &out);
		check_lacks(&out, "sessions wait for a lock");
		check_width(&out, 80);
		tap_strbuf_done(&out);
	}
	tap_strbuf_init(&out);
	tap_text_render(&view, TAP_PART_LOCK_WAITS, 80, &out);
	check_holds(&out, "8 sessions wait for a lock");
	check_lacks(&out, "WAITS THAT ENDED");
	tap_strbuf_clear(&out);
	view.locks = (struct tap_lock_view){ 0 };
	tap_text_render(&view, TAP_PART_LOCK_BY_LOCK, 80, &out);
	check_holds(&out, "nobody waited for such a lock in this window");
	tap_strbuf_done(&out);
}
END_TEST

/* The server undoes it: neither the list nor the tree calls it a deadlock. */
START_TEST(test_text_of_a_soft_cycle)
{
	struct tap_view view = sample_locks_view();
	struct tap_view_lock_cycle cycle = sample_lock_cycles[0];
	struct tap_view_lock_member members[2] = { sample_lock_members[0], sample_lock_members[1] };
	struct tap_strbuf out;

	members[1].soft = true;
	cycle.members = members;
	cycle.kind = "soft cycle";
	cycle.outlook = "the server will reorder a queue";
	cycle.victim_pid = 0;
	cycle.verdict_realtime_ns = -1;
	view.locks.cycles = &cycle;
	render_text(&view, 160, &out);
	check_holds(&out, "\nSOFT CYCLES\npostgres-5432: 2 sessions, closed at 03:04:14.250 UTC: the server will "
			  "reorder a queue\n");
	check_holds(&out, "- 5002 is queued behind 5001");
	check_holds(&out, "soft cycle: transaction 801");
	check_lacks(&out, "DEADLOCKS");
	check_lacks(&out, "deadlock: ");
	tap_strbuf_done(&out);
	cycle.verdict_realtime_ns = cycle.at_realtime_ns + 1000 * MS;
	cycle.outlook = "done";
	render_text(&view, 160, &out);
	check_holds(&out, ": done, at 03:04:15.250\n");
	tap_strbuf_done(&out);
}
END_TEST

/* Several blockers that the tree does not show, and a risk that is a convoy. */
START_TEST(test_text_of_a_tangle)
{
	struct tap_view view = sample_locks_view();
	struct tap_view_lock_wait waits[8];
	struct tap_view_lock_risk risk = { .risk = "convoy", .first_query = "UPDATE a", .first_seen = 4 };
	struct tap_strbuf out;

	memcpy(waits, sample_lock_waits, sizeof(waits));
	waits[2].blocked_by = SAMPLE_PIDS(4711, 4715, 5003, 5002);
	waits[2].n_blocked_by = 4;
	view.locks.waits = waits;
	view.locks.risks = &risk;
	render_text(&view, 0, &out);
	/* 4715 waits for it, which closes a cycle; the other two are far away. */
	check_holds(&out, "public.accounts, AccessExclusiveLock, also behind 3 others");
	check_lacks(&out, "CONVOYS");
	check_holds(&out, "\nRISKS\nconvoy\n- UPDATE a\n");
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_text_now)
{
	struct tap_view view = sample_locks_view();
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	tap_text_render_locks_now(&view, 80, &out);
	ck_assert_int_eq(strncmp(out.data, "03:04:15.125 UTC 8 sessions wait", 32), 0);
	check_holds(&out, "\nDEADLOCKS\n");
	check_holds(&out, "\nWAITS THAT ENDED\n");
	check_lacks(&out, "overhead");
	check_lacks(&out, "RISKS");
	tap_strbuf_clear(&out);
	view.locks = (struct tap_lock_view){ 0 };
	tap_text_render_locks_now(&view, 80, &out);
	ck_assert_str_eq(out.data, "03:04:15.125 UTC nobody waits for a lock\n\n");
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_text_of_nothing)
{
	struct tap_view view = sample_view();
	struct tap_strbuf out;

	view.absent = (struct tap_absence[]){ { "locks", "the layout of this build is not known" } };
	render_text(&view, 80, &out);
	check_holds(&out, "\nnobody waits for a lock\n\n");
	check_holds(&out, "- is locks: the layout of this build is not known\n");
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_long_lists_are_cut)
{
	static struct tap_view_lock_wait past[50];
	struct tap_view view = sample_locks_view();
	struct tap_strbuf out;

	for (int i = 0; i < 50; i++)
		past[i] = sample_lock_past[0];
	view.locks.past = past;
	view.locks.n_past = 50;
	render_text(&view, 160, &out);
	check_holds(&out, "WAITS THAT ENDED, 20 of 50\n");
	ck_assert_uint_eq(count_of(&out, "4711, prepared"), 20);
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_deep_trees_stay_on_the_screen)
{
	static struct tap_view_lock_wait waits[60];
	static int32_t blockers[60];
	struct tap_view view = sample_locks_view();
	struct tap_strbuf out, ascii;

	for (int i = 0; i < 60; i++) {
		blockers[i] = 100 + i;
		waits[i] = sample_lock_waits[0];
		waits[i].pid = 101 + i;
		waits[i].blocked_by = &blockers[i];
		waits[i].n_blocked_by = 1;
	}
	view.locks = (struct tap_lock_view){ .waits = waits, .n_waits = 60 };
	render_text(&view, 80, &out);
	check_width(&out, 80);
	check_holds(&out, "\n" TAP_ELLIPSIS "              └ 160");
	tap_strbuf_init(&ascii);
	tap_escape_to_ascii(&ascii, out.data);
	check_holds(&ascii, "\n~              ` 160");
	tap_strbuf_done(&ascii);
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_csv)
{
	struct tap_view view = sample_locks_view();
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	tap_csv_render(&view, TAP_PART_LOCKS, &out);
	check_holds(&out,
		    "instance,engine,pid,database,user,application,client,query_id,query_id_source,query,lock_type,"
		    "lock_mode,lock_database,lock_relation,lock_name,waiting_ns,started,blocked_by,depth,root_pid,"
		    "absent\r\n");
	check_holds(
		&out,
		"\"tuple (3,7) of public.accounts\",1500000000,2026-01-02T03:04:13.500000Z,\"4711;4712\",1,4711,\r\n");
	ck_assert_uint_eq(count_lines(&out), 9);
	tap_strbuf_done(&out);
}
END_TEST

#ifdef HAVE_JANSSON
static json_t *render_json(const struct tap_view *view, bool line)
{
	struct tap_strbuf out;
	json_error_t error;
	json_t *root;

	tap_strbuf_init(&out);
	if (line)
		tap_json_render_line(view, TAP_PART_LOCKS, &out);
	else
		tap_json_render(view, TAP_PART_LOCKS, &out);
	check_harmless(&out, false);
	if (line)
		ck_assert_uint_eq(count_lines(&out), 1);
	root = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
	ck_assert_msg(root != NULL, "line %d: %s", error.line, error.text);
	tap_strbuf_done(&out);
	return root;
}

static json_t *row_of(json_t *root, const char *list, size_t index)
{
	json_t *row = json_array_get(json_object_get(json_object_get(root, "locks"), list), index);

	ck_assert_msg(json_is_object(row), "no row %zu of %s", index, list);
	return row;
}

static double number_at(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	ck_assert_msg(json_is_number(value), "no number %s", key);
	return json_number_value(value);
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	ck_assert_msg(text != NULL, "no text %s", key);
	return text;
}

START_TEST(test_json)
{
	struct tap_view view = sample_locks_view();
	json_t *root = render_json(&view, _i == 1), *row;

	ck_assert_uint_eq(json_object_size(json_object_get(root, "locks")), 9);
	ck_assert_ptr_null(json_object_get(root, "queries"));
	row = row_of(root, "waits", 1);
	ck_assert_double_eq(number_at(row, "pid"), 4713);
	ck_assert_double_eq(number_at(row, "waiting_ns"), 1500e6);
	ck_assert_str_eq(text_at(row, "started"), "2026-01-02T03:04:13.500000Z");
	ck_assert_str_eq(text_at(json_object_get(row, "lock"), "mode"), "ExclusiveLock");
	ck_assert_str_eq(text_at(json_object_get(row, "lock"), "name"), "tuple (3,7) of public.accounts");
	ck_assert_uint_eq(json_array_size(json_object_get(row, "blocked_by")), 2);
	ck_assert_double_eq(json_number_value(json_array_get(json_object_get(row, "blocked_by"), 1)), 4712);
	ck_assert_double_eq(number_at(row, "root_pid"), 4711);
	row = row_of(root, "holders", 0);
	ck_assert_str_eq(text_at(row, "state"), "idle in transaction");
	ck_assert_str_eq(text_at(row, "doing"), "waits for its client");
	ck_assert_double_eq(number_at(row, "held_ns"), 12000e6);
	ck_assert(json_is_true(json_object_get(row, "held_is_bound")));
	ck_assert(json_is_true(json_object_get(row, "root")));
	ck_assert_double_eq(number_at(row, "victims"), 4);
	ck_assert_uint_eq(json_array_size(json_object_get(row, "blocks")), 3);
	ck_assert_ptr_null(json_object_get(row, "xid"));
	row = row_of(root, "holders", 1);
	ck_assert_double_eq(number_at(row, "pid"), 0);
	ck_assert_double_eq(number_at(row, "xid"), 743);
	ck_assert_str_eq(text_at(row, "gid"), "order-17");
	ck_assert_ptr_null(json_object_get(row, "held_ns"));
	row = row_of(root, "cycles", 0);
	ck_assert_str_eq(text_at(row, "at"), "2026-01-02T03:04:14.250000Z");
	ck_assert_double_eq(number_at(row, "victim_pid"), 5002);
	ck_assert_str_eq(text_at(row, "verdict"), "2026-01-02T03:04:15.001000Z");
	row = json_array_get(json_object_get(row, "members"), 1);
	ck_assert_double_eq(number_at(row, "pid"), 5002);
	ck_assert_double_eq(number_at(row, "waits_for"), 5001);
	ck_assert_str_eq(text_at(json_object_get(row, "lock"), "name"), "transaction 800");
	ck_assert_double_eq(number_at(row_of(root, "past", 0), "pid"), 4720);
	row = row_of(root, "losses", 0);
	ck_assert_double_eq(number_at(row, "ns"), 6100e6);
	ck_assert_str_eq(text_at(json_object_get(row, "blocker"), "state"), "idle in transaction");
	row = row_of(root, "risks", 0);
	ck_assert_str_eq(text_at(json_object_get(row, "second"), "order"), "public.b before public.a");
	ck_assert_double_eq(number_at(json_object_get(row, "first"), "seen"), 12);
	ck_assert_str_eq(text_at(row_of(root, "cycles", 0), "kind"), "deadlock");
	row = row_of(root, "by_query", 0);
	ck_assert_double_eq(number_at(row, "waits"), 42);
	ck_assert_double_eq(number_at(row, "failed"), 2);
	ck_assert_double_eq(number_at(json_object_get(row, "wait_ns"), "p99"), 1500e6);
	ck_assert_uint_eq(json_array_size(json_object_get(row, "wait_histogram")), 3);
	row = json_array_get(json_object_get(row, "wait_histogram"), 2);
	ck_assert_double_eq(number_at(row, "from_ns"), (double)(1LL << 43));
	row = row_of(root, "by_lock", 0);
	ck_assert_str_eq(text_at(json_object_get(row, "lock"), "name"), "rows of public.accounts");
	ck_assert_double_eq(number_at(json_array_get(json_object_get(row, "wait_histogram"), 0), "from_ns"), 0);
	row = row_of(root, "internal", 0);
	ck_assert_str_eq(text_at(row, "event"), "WALInsert");
	ck_assert_ptr_nonnull(json_object_get(json_object_get(row, "absent"), "wait_ns"));
	json_decref(root);
}
END_TEST
#endif

/* --- drawings --------------------------------------------------------------------------------- */

/* One quoted string of DOT, from behind its quote; returns what follows it. */
static const char *skip_quoted(const char *at)
{
	for (; *at != '"'; at++) {
		ck_assert_msg(*at && *at != '\n', "a string that does not end");
		if (*at != '\\')
			continue;
		at++;
		ck_assert_msg(strchr("\"\\l", *at) != NULL, "an escape \\%c that Graphviz would act on", *at);
	}
	return at + 1;
}

/* Outside of strings nothing but what this program writes; every line ends as a statement does. */
static void check_dot(const struct tap_strbuf *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789 \t[]{}=,;->RL";

	check_harmless(out, false);
	ck_assert_int_eq(strncmp(out->data, "digraph locks {\n", 16), 0);
	for (const char *at = out->data; *at;) {
		if (*at == '"') {
			at = skip_quoted(at + 1);
			continue;
		}
		if (*at == '\n')
			ck_assert_msg(strchr(";{}", at[-1]) != NULL, "a line that ends in %c", at[-1]);
		else
			ck_assert_msg(strchr(plain, *at) != NULL, "byte %d outside of a string", *at);
		at++;
	}
	ck_assert_str_eq(out->data + out->size - 3, "\n}\n");
}

START_TEST(test_dot)
{
	struct tap_view view = sample_locks_view();
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	tap_dot_render(&view, &out);
	check_dot(&out);
	ck_assert_uint_eq(count_of(&out, "[color="), 10);
	ck_assert_uint_eq(count_of(&out, "[color=red"), 2);
	ck_assert_uint_eq(count_of(&out, "[color=darkorange"), 2);
	ck_assert_uint_eq(count_of(&out, " -> "), 9);
	ck_assert_uint_eq(count_of(&out, "style=dotted"), 1);
	check_holds(&out, "label=\"4711 admin@shop psql [local]\\lidle in transaction, waits for its client\\l"
			  "held at most 12.0 s, blocks 4, cost 5.25 s\\lUPDATE accounts SET balance = $1\\l\"];\n");
	tap_strbuf_clear(&out);
	view.locks.n_waits = 0;
	tap_dot_render(&view, &out);
	check_dot(&out);
	check_holds(&out, "nobody waits for a lock");
	check_lacks(&out, "n0");
	tap_strbuf_done(&out);
}
END_TEST

/* An XML name's end. */
static const char *skip_name(const char *at)
{
	return at + strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789");
}

/* " name="value"" again and again; returns what follows. No value leads out of the document. */
static const char *skip_attributes(const char *at)
{
	while (*at == ' ') {
		const char *name = at + 1, *value;

		at = skip_name(name);
		ck_assert_msg(at > name && at[0] == '=' && at[1] == '"', "no attribute at: %.40s", name);
		value = at + 2;
		at = value + strcspn(value, "\"<");
		ck_assert_msg(*at == '"', "a value that does not end: %.40s", value);
		ck_assert_msg(strncmp(name, "on", 2) != 0 && strncmp(name, "href", 4) != 0, "an attribute that acts");
		at++;
	}
	return at;
}

static const char *skip_entity(const char *at)
{
	static const char *const known[] = { "&lt;", "&gt;", "&amp;", "&quot;", "&#39;" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(at, known[i], strlen(known[i])) == 0)
			return at + strlen(known[i]);
	ck_abort_msg("no entity at: %.20s", at);
	return at;
}

/* Well formed: tags nest, attributes are quoted, text holds no bare < or &. Elements are those a drawing needs. */
static void check_svg(const struct tap_strbuf *out)
{
	static const char allowed[] = " svg style defs marker path rect text g title ";
	char open[16][16], name[32];
	const char *at = out->data;
	size_t depth = 0;

	check_harmless(out, false);
	ck_assert_int_eq(strncmp(at, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", 39), 0);
	for (at += 39; *at;) {
		if (*at == '&') {
			at = skip_entity(at);
		} else if (at[0] == '<' && at[1] == '/') {
			const char *end = skip_name(at + 2);

			ck_assert_uint_gt(depth, 0);
			depth--;
			ck_assert_msg(strlen(open[depth]) == (size_t)(end - at - 2) &&
					      strncmp(open[depth], at + 2, strlen(open[depth])) == 0 && *end == '>',
				      "%s is closed by %.20s", open[depth], at);
			at = end + 1;
		} else if (*at == '<') {
			const char *end = skip_name(at + 1);

			snprintf(name, sizeof(name), " %.*s ", (int)(end - at - 1), at + 1);
			ck_assert_msg(strstr(allowed, name) != NULL, "an element%s", name);
			snprintf(open[depth], sizeof(open[depth]), "%.*s", (int)(end - at - 1), at + 1);
			at = skip_attributes(end);
			if (*at == '/')
				at++;
			else
				depth++;
			ck_assert_msg(*at == '>' && depth < 16, "a tag that does not end: %.20s", at);
			at++;
		} else {
			ck_assert_msg(depth > 0 || *at == '\n', "text outside of the document");
			at++;
		}
	}
	ck_assert_uint_eq(depth, 0);
	/* Nothing is fetched from anywhere: the one address is the name space. */
	ck_assert_uint_eq(count_of(out, "://"),
			  count_of(out, "http://www.w3.org/2000/svg\"") + count_of(out, "HYPERLINK(&quot;http://"));
	ck_assert_uint_eq(count_of(out, "url("), count_of(out, "url(#to)"));
}

struct box {
	long x, y, width, height;
};

static size_t boxes_of(const struct tap_strbuf *out, struct box *boxes, size_t most)
{
	size_t n = 0;

	for (const char *at = strstr(out->data, "<rect x="); at && n < most; at = strstr(at + 1, "<rect x=")) {
		struct box *box = &boxes[n++];

		ck_assert_int_eq(sscanf(at, "<rect x=\"%ld\" y=\"%ld\" width=\"%ld\" height=\"%ld\"", &box->x, &box->y,
					&box->width, &box->height),
				 4);
	}
	return n;
}

/* Within the page and apart from each other. */
static void check_boxes(const struct tap_strbuf *out, size_t expected)
{
	static struct box boxes[1200];
	size_t n = boxes_of(out, boxes, 1200);
	long width, height;

	ck_assert_uint_eq(n, expected);
	ck_assert_int_eq(sscanf(strstr(out->data, "<svg"),
				"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%ld\" height=\"%ld\"", &width,
				&height),
			 2);
	for (size_t i = 0; i < n; i++) {
		const struct box *a = &boxes[i];

		if (a->x < 0 || a->y < 0 || a->x + a->width > width || a->y + a->height > height)
			ck_abort_msg("box %zu outside of the page", i);
		for (size_t j = i + 1; j < n; j++) {
			const struct box *b = &boxes[j];

			if (a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height &&
			    b->y < a->y + a->height)
				ck_abort_msg("boxes %zu and %zu lie on each other", i, j);
		}
	}
}

static void render_svg(const struct tap_view *view, struct tap_strbuf *out)
{
	tap_strbuf_init(out);
	tap_svg_render(view, out);
	ck_assert(!out->failed);
	check_svg(out);
}

START_TEST(test_svg)
{
	struct tap_view view = sample_locks_view();
	struct tap_strbuf out;

	render_svg(&view, &out);
	check_boxes(&out, 10);
	ck_assert_uint_eq(count_of(&out, "<g class=\"root\">"), 2);
	ck_assert_uint_eq(count_of(&out, "<g class=\"cycle\">"), 2);
	ck_assert_uint_eq(count_of(&out, "<g class=\"waiter\">"), 6);
	/* All links but the one of the queue; the one that closes the cycle stands out. */
	ck_assert_uint_eq(count_of(&out, "<path class=\"edge"), 8);
	ck_assert_uint_eq(count_of(&out, "<path class=\"edge far\""), 1);
	check_holds(&out, ">8 wait for a lock, db1, 2026-01-02T03:04:15.125456Z</text>");
	check_holds(&out, ">idle in transaction, waits for its client</text>");
	tap_strbuf_done(&out);
	view.locks.n_waits = 0;
	render_svg(&view, &out);
	check_boxes(&out, 0);
	check_holds(&out, ">nobody waits for a lock, db1");
	tap_strbuf_done(&out);
}
END_TEST

/* More than anyone can look at: the first thousand, and that is said. */
START_TEST(test_svg_is_bounded)
{
	enum {
		N = 3000,
	};
	struct tap_view_lock_wait *waits = calloc(N, sizeof(*waits));
	int32_t *blockers = calloc(N, sizeof(*blockers));
	struct tap_view view = sample_locks_view();
	struct tap_strbuf out;

	for (int i = 0; i < N; i++) {
		/* A chain in the first half, then a convoy. */
		blockers[i] = i < N / 2 ? 10000 + i - 1 : 4711;
		waits[i] = sample_lock_waits[0];
		waits[i].pid = 10000 + i;
		waits[i].blocked_by = &blockers[i];
	}
	view.locks.waits = waits;
	view.locks.n_waits = N;
	view.locks.n_holders = 1;
	render_svg(&view, &out);
	check_holds(&out, "; 1000 of 3002 drawn");
	ck_assert_uint_eq(count_of(&out, "<g class="), 1000);
	tap_strbuf_done(&out);
	free(waits);
	free(blockers);
}
END_TEST

/* --- what is hostile -------------------------------------------------------------------------- */

struct spoiled {
	struct tap_view_lock_wait wait;
	struct tap_view_lock_holder holder;
	struct tap_view_lock_member member;
	struct tap_view_lock_cycle cycle;
	struct tap_view_lock_risk risk;
	struct tap_view_lock_loss loss;
	struct tap_view_lock_stat stat;
	struct tap_view_lock_internal internal;
};

static void spoil(struct tap_view *view, struct spoiled *s, const char *text)
{
	static int32_t prepared[] = { 0 }, victim[] = { 4712 };
	const struct tap_view_lock lock = { text, text, text, text, text };

	s->wait = sample_lock_waits[0];
	s->wait.database = s->wait.user = s->wait.application = s->wait.client = text;
	s->wait.query_id = s->wait.query_id_source = s->wait.query = text;
	s->wait.lock = lock;
	s->holder = sample_lock_holders[1];
	s->holder.database = s->holder.user = s->holder.application = s->holder.client = s->holder.gid = text;
	s->holder.query_id = s->holder.query_id_source = s->holder.query = s->holder.state = s->holder.doing = text;
	s->holder.lock = lock;
	s->holder.victims = 9;
	s->holder.blocks = victim;
	s->member = (struct tap_view_lock_member){ 1, text, text, lock, 2, true };
	s->cycle = (struct tap_view_lock_cycle){
		.instance = text, .members = &s->member, .n_members = 1, .kind = text, .outlook = text
	};
	s->risk = (struct tap_view_lock_risk){ text, text, text, text, text, text, text, text, 1, 1, text, text, 1 };
	s->loss = (struct tap_view_lock_loss){ text, text, text, text, text, text, lock, 1, 1, 1 };
	s->stat = (struct tap_view_lock_stat){ text, text, text, text, text, text, text, lock,
					       1,    1,	   1,	 1,    1,    1,	   1,	 { 1 } };
	s->internal = (struct tap_view_lock_internal){ text, text, text, text, text, text, text, text, text, 1, 1 };
	s->wait.blocked_by = prepared;
	view->host_name = text;
	view->locks = (struct tap_lock_view){ .waits = &s->wait,
					      .n_waits = 1,
					      .past = &s->wait,
					      .n_past = 1,
					      .holders = &s->holder,
					      .n_holders = 1,
					      .cycles = &s->cycle,
					      .n_cycles = 1,
					      .risks = &s->risk,
					      .n_risks = 1,
					      .losses = &s->loss,
					      .n_losses = 1,
					      .by_query = &s->stat,
					      .n_by_query = 1,
					      .by_lock = &s->stat,
					      .n_by_lock = 1,
					      .internal = &s->internal,
					      .n_internal = 1 };
}

static void check_all_outputs(const struct tap_view *view)
{
	static const unsigned widths[] = { 0, 1, 40, 80, 160 };
	struct tap_strbuf out;

	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		render_text(view, widths[i], &out);
		check_harmless(&out, false);
		if (widths[i] >= 80)
			check_width(&out, widths[i]);
		tap_strbuf_done(&out);
	}
	for (int part = TAP_PART_LOCKS; part <= TAP_PART_LOCK_INTERNAL; part++) {
		tap_strbuf_init(&out);
		tap_csv_render(view, part, &out);
		check_harmless(&out, true);
		ck_assert_uint_eq(count_lines(&out), 2);
		tap_strbuf_done(&out);
	}
#ifdef HAVE_JANSSON
	json_decref(render_json(view, false));
	json_decref(render_json(view, true));
#endif
	tap_strbuf_init(&out);
	tap_dot_render(view, &out);
	check_dot(&out);
	tap_strbuf_done(&out);
	render_svg(view, &out);
	tap_strbuf_done(&out);
}

START_TEST(test_hostile_texts)
{
	struct tap_view view = sample_locks_view();
	struct spoiled spoiled;

	spoil(&view, &spoiled, _i < (int)N_HOSTILE_TEXTS ? hostile_texts[_i] : NULL);
	check_all_outputs(&view);
}
END_TEST

START_TEST(test_damaged_numbers)
{
	struct tap_view view = sample_locks_view();
	struct spoiled spoiled;

	for (int round = 0; round < 2; round++) {
		int64_t number = round ? INT64_MIN : INT64_MAX;

		spoil(&view, &spoiled, "x");
		spoiled.wait.pid = spoiled.wait.waiting_ns = spoiled.wait.started_realtime_ns = number;
		spoiled.wait.depth = spoiled.wait.root_pid = number;
		spoiled.holder.held_ns = spoiled.holder.transaction_ns = spoiled.holder.statement_ns = number;
		spoiled.holder.pid = spoiled.holder.cost_ns = number;
		spoiled.holder.xid = spoiled.holder.victims = UINT64_MAX;
		spoiled.member.pid = spoiled.member.waits_for = spoiled.cycle.at_realtime_ns = number;
		spoiled.cycle.victim_pid = spoiled.cycle.verdict_realtime_ns = number;
		spoiled.risk.first_seen = UINT64_MAX;
		spoiled.risk.cost_ns = spoiled.loss.ns = spoiled.loss.max_ns = number;
		spoiled.loss.waits = spoiled.stat.waits = spoiled.stat.failed = spoiled.internal.waits = UINT64_MAX;
		spoiled.stat.ns = spoiled.stat.p50 = spoiled.stat.p95 = spoiled.stat.p99 = spoiled.stat.max = number;
		spoiled.stat.octaves[0] = spoiled.stat.octaves[TAP_LOCK_WAIT_OCTAVES - 1] = UINT64_MAX;
		spoiled.internal.ns = number;
		view.end_realtime_ns = number;
		check_all_outputs(&view);
	}
	/* Counts without lists. */
	spoiled.wait.blocked_by = NULL;
	spoiled.wait.n_blocked_by = 0;
	spoiled.holder.blocks = NULL;
	spoiled.holder.n_blocks = 0;
	spoiled.cycle.members = NULL;
	spoiled.cycle.n_members = 0;
	check_all_outputs(&view);
}
END_TEST

static void text_out(const struct tap_view *view, struct tap_strbuf *out)
{
	tap_text_render(view, TAP_PART_LOCKS, 160, out);
}

static void json_out(const struct tap_view *view, struct tap_strbuf *out)
{
	tap_json_render(view, TAP_PART_LOCKS, out);
}

static void csv_out(const struct tap_view *view, struct tap_strbuf *out)
{
	tap_csv_render(view, TAP_PART_LOCKS, out);
}

START_TEST(test_out_of_memory)
{
	static render_fn *const renderers[] = { text_out, json_out, csv_out, tap_dot_render, tap_svg_render };
	struct tap_view view = sample_locks_view();

	check_out_of_memory(&view, renderers, sizeof(renderers) / sizeof(renderers[0]));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/output/render_locks");
	TCase *text = tcase_create("text"), *data = tcase_create("data"), *hostile = tcase_create("hostile");

	tcase_add_test(text, test_text);
	tcase_add_test(text, test_text_of_a_tangle);
	tcase_add_test(text, test_text_of_how_long);
	tcase_add_test(text, test_text_of_a_soft_cycle);
	tcase_add_test(text, test_text_now);
	tcase_add_test(text, test_text_of_nothing);
	tcase_add_test(text, test_long_lists_are_cut);
	tcase_add_test(text, test_deep_trees_stay_on_the_screen);
	suite_add_tcase(suite, text);
	tcase_add_test(data, test_csv);
#ifdef HAVE_JANSSON
	tcase_add_loop_test(data, test_json, 0, 2);
#endif
	tcase_add_test(data, test_dot);
	tcase_add_test(data, test_svg);
	tcase_add_test(data, test_svg_is_bounded);
	tcase_set_timeout(data, 60);
	suite_add_tcase(suite, data);
	tcase_set_timeout(hostile, 60);
	tcase_add_loop_test(hostile, test_hostile_texts, 0, (int)N_HOSTILE_TEXTS + 1);
	tcase_add_test(hostile, test_damaged_numbers);
	tcase_add_test(hostile, test_out_of_memory);
	suite_add_tcase(suite, hostile);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
