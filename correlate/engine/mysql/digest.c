// SPDX-License-Identifier: BSD-2-Clause
/*
 * digest.c - the id of a text, and the writer that turns what the tokenizer reports into a readable statement.
 *
 * The tokenizer and every decision about what folds are in bpf/abi/my_digest.h. The writer remembers where in its
 * output the last tokens begin, so that it can take back what folds later.
 */
#include "correlate/engine/mysql/digest.h"

#include <stdbool.h>

#include "userspace/base/strbuf.h"

struct tap_my_digest;
static void writer_token(struct tap_my_digest *digest, unsigned pops, unsigned kind);
static void writer_semicolon(struct tap_my_digest *digest);

#define TAP_MY_DIGEST_ON_TOKEN(digest, pops, kind) writer_token(digest, pops, kind)
#define TAP_MY_DIGEST_ON_SEMICOLON(digest) writer_semicolon(digest)
#include "bpf/abi/my_digest.h"

/* First the tokenizer: what it is told of is written by its owner. */
struct writer {
	struct tap_my_digest digest;
	struct tap_strbuf *out; /* NULL: only the id is wanted */
	const char *text;
	size_t base;			   /* of what was in `out` before */
	size_t starts[TAP_MY_TOKENS_KEPT]; /* in `out`, of the last tokens, the last one first */
	size_t end;			   /* of the last token in the text */
};

static const char *const fold_texts[] = {
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
	if (kind >= TAP_MY_T_VALUE) {
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

void tap_my_statement_normalise(const char *text, size_t size, struct tap_strbuf *out)
{
	struct writer writer = { .text = text, .out = out, .base = out->size };

	run(&writer, size);
	while (out->size > writer.base && out->data[out->size - 1] == ' ')
		out->data[--out->size] = '\0';
}
