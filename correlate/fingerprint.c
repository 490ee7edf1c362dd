// SPDX-License-Identifier: BSD-2-Clause
/*
 * fingerprint.c - the id of a text, and the writer that turns what the tokenizer reports into a readable statement.
 *
 * The tokenizer and every decision about what counts are in bpf/abi/fingerprint.h. The writer here keeps only where the
 * tokens lie in the text: what the tokenizer holds back (a comma, signs, a semicolon, the literal folded last) it holds
 * back too, and writes when told that it counts after all.
 */
#include "correlate/fingerprint.h"

#include <stdbool.h>

#include "bpf/abi/fingerprint.h"
#include "userspace/base/strbuf.h"

enum {
	PARAM_MAX =
		65535, /* the protocol's highest $n; what is beyond is no parameter and does not raise the numbering */
	SIGNS_MAX = 255, /* as many as the tokenizer counts */
};

/* Bytes of the text; `space` says whether anything stood between it and the token before. */
struct span {
	const char *text;
	size_t size;
	bool space;
};

struct writer {
	struct tap_strbuf *out;
	size_t base;	 /* of what was in `out` before */
	unsigned param;	 /* the last number given out */
	unsigned folded; /* tokens left out of the list, not written yet */
	unsigned signs;
	struct span folded_last;
	bool semi_space;
	bool comma_space;
	bool sign_space; /* of the first of the held signs */
};

uint64_t tap_fingerprint(const char *text, size_t size)
{
	struct tap_fp fp;
	size_t i;

	tap_fp_init(&fp);
	for (i = 0; i < size && text[i]; i++)
		tap_fp_step(&fp, (unsigned char)text[i]);
	return tap_fp_final(&fp);
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* Would `byte` become part of an identifier, a number or a dollar quote that ends right before it? */
static bool is_wordy(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || is_digit(byte) || byte == '_' ||
	       byte == '$' || (byte & 0x80);
}

static bool is_param(const struct span *token)
{
	return token->size > 1 && token->text[0] == '$' && is_digit(token->text[1]);
}

static void put(struct writer *writer, const char *text, size_t size, bool space)
{
	struct tap_strbuf *out = writer->out;

	if (out->size > writer->base && (space || (is_wordy(out->data[out->size - 1]) && is_wordy(text[0]))))
		tap_strbuf_add_char(out, ' ');
	tap_strbuf_add(out, text, size);
}

static void put_literal(struct writer *writer, const struct span *token, bool space)
{
	char number[16];
	size_t at = sizeof(number);
	unsigned rest;

	if (is_param(token)) {
		put(writer, token->text, token->size, space);
		return;
	}
	for (rest = ++writer->param; rest; rest /= 10)
		number[--at] = (char)('0' + rest % 10);
	number[--at] = '$';
	put(writer, number + at, sizeof(number) - at, space);
}

/* Say that `count` tokens or more were left out of a list here. */
static void put_folded(struct writer *writer, unsigned count)
{
	if (writer->folded >= count)
		put(writer, ", ...", 5, false);
	writer->folded = 0;
}

static void put_signs(struct writer *writer)
{
	for (; writer->signs; writer->signs--) {
		put(writer, "-", 1, writer->sign_space);
		writer->sign_space = true; /* two with nothing between would be a comment */
	}
}

/* What was held back and counts after all, in its order in the text. */
static void put_held(struct writer *writer, uint32_t did)
{
	if (did & TAP_FP_SEMI)
		put(writer, ";", 1, writer->semi_space);
	if (did & TAP_FP_LATE) {
		put_folded(writer, 2);
		put(writer, ",", 1, writer->comma_space);
		put_literal(writer, &writer->folded_last, writer->folded_last.space);
	} else {
		put_folded(writer, 1);
	}
	if (did & TAP_FP_COMMA)
		put(writer, ",", 1, writer->comma_space);
	if (did & TAP_FP_MINUS)
		put_signs(writer);
}

/* The token is held or dropped by the tokenizer: remember how it would be written. */
static void hold(struct writer *writer, const struct span *token)
{
	if (token->text[0] == ';') {
		put_folded(writer, 1);
		writer->signs = 0;
		writer->semi_space = token->space;
	} else if (token->text[0] == ',') {
		writer->comma_space = token->space;
	} else if (token->text[0] == '-') {
		if (!writer->signs)
			writer->sign_space = token->space;
		writer->signs += writer->signs < SIGNS_MAX;
	}
}

static void take(struct writer *writer, const struct span *token, uint32_t did)
{
	bool space = writer->signs ? writer->sign_space : token->space;

	if (did & (TAP_FP_SEMI | TAP_FP_COMMA | TAP_FP_LATE | TAP_FP_MINUS | TAP_FP_TOKEN | TAP_FP_LITERAL))
		put_held(writer, did);
	if (did & TAP_FP_FOLDED) {
		writer->folded++;
		writer->folded_last = *token;
		writer->folded_last.space = space;
		writer->signs = 0;
	} else if (did & TAP_FP_LITERAL) {
		put_literal(writer, token, did & TAP_FP_MINUS ? token->space : space);
		writer->signs = 0;
	} else if (did & TAP_FP_TOKEN) {
		put(writer, token->text, token->size, token->space);
	} else {
		hold(writer, token);
	}
}

/* The highest $n of the text. */
static unsigned highest_param(const char *text, size_t size)
{
	unsigned highest = 0, number = 0;
	struct tap_fp fp;
	size_t i;

	tap_fp_init(&fp);
	for (i = 0; i < size && text[i]; i++) {
		tap_fp_step(&fp, (unsigned char)text[i]);
		if (fp.state != TAP_FP_PARAM) {
			number = 0;
			continue;
		}
		number = number > PARAM_MAX ? number : number * 10 + (unsigned)(text[i] - '0');
		if (number > highest && number <= PARAM_MAX)
			highest = number;
	}
	return highest;
}

void tap_fingerprint_normalise(const char *text, size_t size, struct tap_strbuf *out)
{
	struct writer writer = { .out = out, .base = out->size, .param = highest_param(text, size) };
	size_t i = 0, start = 0, last_end = 0;
	struct span token;
	struct tap_fp fp;
	uint32_t did;
	bool over;

	tap_fp_init(&fp);
	do {
		over = i == size || !text[i];
		did = tap_fp_step(&fp, over ? 0 : (unsigned char)text[i]);
		if (did & TAP_FP_ENDED) {
			token = (struct span){ text + start, i - start, start > last_end };
			take(&writer, &token, did);
			last_end = i;
		}
		if (did & TAP_FP_BEGIN)
			start = i;
		i++;
	} while (!over);
	put_folded(&writer, 1);
}
