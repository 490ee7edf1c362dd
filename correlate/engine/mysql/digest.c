// SPDX-License-Identifier: BSD-2-Clause
/*
 * digest.c - the id of a text, and the writer that turns what the tokenizer reports into a readable statement.
 *
 * The tokenizer and every decision about what folds are in bpf/abi/my_digest.h. The writer remembers where in its
 * output the last tokens begin, so that it can take back what folds later.
 */
#include "correlate/engine/mysql/digest.h"

#include <stdbool.h>
#include <string.h>

#include "userspace/base/strbuf.h"

struct tap_my_digest;
static void writer_token(struct tap_my_digest *digest, unsigned pops, unsigned kind);
static void writer_semicolon(struct tap_my_digest *digest);
static uint64_t writer_word(const struct tap_my_digest *digest, uint64_t word);

#define TAP_MY_DIGEST_ON_TOKEN(digest, pops, kind) writer_token(digest, pops, kind)
#define TAP_MY_DIGEST_ON_SEMICOLON(digest) writer_semicolon(digest)
#define TAP_MY_DIGEST_WORD(digest, word) writer_word(digest, word)
#include "bpf/abi/my_digest.h"

/* First the tokenizer: what it is told of is written by its owner. */
struct writer {
	struct tap_my_digest digest;
	struct tap_strbuf *out; /* NULL: only the id is wanted */
	const char *text;
	size_t base;			   /* of what was in `out` before */
	size_t starts[TAP_MY_TOKENS_KEPT]; /* in `out`, of the last tokens, the last one first */
	size_t end;			   /* of the last token in the text */
	bool canonical;			   /* words that are one to the server are one */
};

/* Words that are one to the server: one, and the one that its digest texts show for both. */
static const char *const synonyms[][2] = {
	{ "any", "some" },
	{ "bigint", "int8" },
	{ "char", "character" },
	{ "columns", "fields" },
	{ "current_date", "curdate" },
	{ "current_time", "curtime" },
	{ "current_timestamp", "now" },
	{ "database", "schema" },
	{ "databases", "schemas" },
	{ "day", "sql_tsi_day" },
	{ "dec", "decimal" },
	{ "describe", "explain" },
	{ "distinct", "distinctrow" },
	{ "double", "float8" },
	{ "float", "float4" },
	{ "hour", "sql_tsi_hour" },
	{ "int", "integer" },
	{ "int1", "tinyint" },
	{ "int2", "smallint" },
	{ "int3", "middleint" },
	{ "int4", "integer" },
	{ "io_thread", "relay_thread" },
	{ "localtime", "now" },
	{ "localtimestamp", "now" },
	{ "mediumint", "middleint" },
	{ "mid", "substring" },
	{ "minute", "sql_tsi_minute" },
	{ "month", "sql_tsi_month" },
	{ "quarter", "sql_tsi_quarter" },
	{ "regexp", "rlike" },
	{ "replica", "slave" },
	{ "replica_pos", "slave_pos" },
	{ "replicas", "slaves" },
	{ "second", "sql_tsi_second" },
	{ "session_user", "system_user" },
	{ "sql_tsi_week", "week" },
	{ "sql_tsi_year", "year" },
	{ "substr", "substring" },
	{ "user", "system_user" },
	{ "varchar", "varcharacter" },
};

static const char *const fold_texts[TAP_MY_T_COUNT] = {
	[TAP_MY_T_UNEQUAL] = "<>",     [TAP_MY_T_HEX] = "?",
	[TAP_MY_T_VALUE] = "?",	       [TAP_MY_T_VALUES] = "?, ...",
	[TAP_MY_T_ROW] = "(?)",	       [TAP_MY_T_ROWS] = "(?) /* , ... */",
	[TAP_MY_T_WIDE_ROW] = "(...)", [TAP_MY_T_WIDE_ROWS] = "(...) /* , ... */",
};

static void starts_push(struct writer *writer, size_t start)
{
	for (size_t i = TAP_MY_TOKENS_KEPT - 1; i > 0; i--)
		writer->starts[i] = writer->starts[i - 1];
	writer->starts[0] = start;
}

static void take_back(struct writer *writer, unsigned pops)
{
	for (; pops; pops--) {
		if (writer->out->size > writer->starts[0]) {
			writer->out->size = writer->starts[0];
			writer->out->data[writer->out->size] = '\0';
		}
		for (size_t i = 0; i + 1 < TAP_MY_TOKENS_KEPT; i++)
			writer->starts[i] = writer->starts[i + 1];
	}
}

/* A space where the text had something between, and where two words would become one. */
static void put(struct writer *writer, const char *text, size_t size, bool space)
{
	struct tap_strbuf *out = writer->out;
	char last = out->size > writer->base ? out->data[out->size - 1] : ' ';
	bool wordy = tap_my_is_word((unsigned char)last) || last == '?' || last == '`';

	if (last != ' ' && (space || (wordy && (tap_my_is_word((unsigned char)*text) || *text == '?'))))
		tap_strbuf_add_char(out, ' ');
	starts_push(writer, out->size);
	tap_strbuf_add(out, text, size);
}

static size_t length_of(const char *text)
{
	size_t size = 0;

	while (text[size])
		size++;
	return size;
}

/* Words and names reach to where the tokenizer is, all others are one byte. */
static void writer_token(struct tap_my_digest *digest, unsigned pops, unsigned kind)
{
	struct writer *writer = (struct writer *)digest;
	const char *text;
	size_t size = 1;
	bool space;

	if (!writer->out)
		return;
	take_back(writer, pops);
	if (kind == TAP_MY_T_NONE)
		return;
	space = digest->begin > writer->end;
	text = writer->text + digest->begin;
	if (fold_texts[kind]) {
		text = fold_texts[kind];
		size = length_of(text);
	} else if (digest->at > digest->begin && (*text == '`' || tap_my_is_word((unsigned char)*text))) {
		size = digest->at - digest->begin;
	}
	put(writer, text, size, space && !pops);
	writer->end = digest->at > digest->begin ? digest->at : digest->begin + 1;
}

static void writer_semicolon(struct tap_my_digest *digest)
{
	struct writer *writer = (struct writer *)digest;

	if (writer->out)
		put(writer, ";", 1, false);
}

/* As the tokenizer makes it of the word. */
static uint64_t token_of(const char *word)
{
	uint64_t token = 0;

	for (; *word; word++)
		token = (token ^ (unsigned char)*word) * TAP_MY_TOKEN_PRIME;
	return token;
}

static uint64_t writer_word(const struct tap_my_digest *digest, uint64_t word)
{
	const struct writer *writer = (const struct writer *)digest;

	for (size_t i = 0; writer->canonical && i < sizeof(synonyms) / sizeof(*synonyms); i++) {
		if (token_of(synonyms[i][0]) == word)
			return token_of(synonyms[i][1]);
	}
	return word;
}

static uint64_t run(struct writer *writer, size_t size)
{
	tap_my_digest_init(&writer->digest);
	for (size_t i = 0; i < size && writer->text[i]; i++)
		tap_my_digest_step(&writer->digest, (unsigned char)writer->text[i]);
	return tap_my_digest_final(&writer->digest);
}

uint64_t tap_my_statement_id(const char *text, size_t size)
{
	struct writer writer = { .text = text };

	return run(&writer, size);
}

uint64_t tap_my_canonical_id(const char *text, size_t size)
{
	struct writer writer = { .text = text, .canonical = true };

	return run(&writer, size);
}

/* What stands for lists in a digest text, and a list that folds to it. The first that fits counts. */
static const struct {
	const char *mark;
	const char *list;
} marks[] = {
	{ "(?) /* , ... */", "(?),(?)" },
	{ "(...) /* , ... */", "(?,?),(?,?)" },
	{ "(...)", "(?,?)" },
	{ "?, ...", "?,?" },
	{ "(unknown)", "x'00'" },
};

/* What stands at the beginning of `text`; NULL: no mark. */
static const char *mark_at(const char *text, size_t size, size_t *ret_length)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		*ret_length = strlen(marks[i].mark);
		if (size >= *ret_length && !memcmp(text, marks[i].mark, *ret_length))
			return marks[i].list;
	}
	*ret_length = 1;
	return NULL;
}

/* A statement that has the digest text, where names are quoted, so that all other words are keywords. */
static void statement_of(const char *text, size_t size, struct tap_strbuf *out)
{
	size_t length = 1;
	bool quoted = false;

	for (size_t at = 0; at < size && text[at]; at += quoted ? 1 : length) {
		const char *list = quoted ? NULL : mark_at(text + at, size - at, &length);
		char byte = text[at];

		if (list)
			tap_strbuf_add_string(out, list);
		else
			tap_strbuf_add_char(out, !quoted && byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte);
		quoted ^= byte == '`';
	}
}

uint64_t tap_my_digest_text_id(const char *text, size_t size)
{
	struct tap_strbuf statement;
	uint64_t id = 0;

	/* Each token has a space behind it; a text that was cut ends in three dots without. */
	if (!size || text[size - 1] == '.')
		return 0;
	tap_strbuf_init(&statement);
	statement_of(text, size, &statement);
	if (!statement.failed)
		id = tap_my_canonical_id(statement.data, statement.size);
	tap_strbuf_done(&statement);
	return id;
}

void tap_my_statement_normalise(const char *text, size_t size, struct tap_strbuf *out)
{
	struct writer writer = { .text = text, .out = out, .base = out->size };

	run(&writer, size);
	while (out->size > writer.base && out->data[out->size - 1] == ' ')
		out->data[--out->size] = '\0';
}
