/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * my_digest.h - one id for all MySQL and MariaDB statements that differ only in literals, spacing and comments.
 *
 * What fingerprint.h is for PostgreSQL, for the other dialect: `names`, "strings" and 'strings' with backslashes, `#`
 * and `-- ` comments, comments that are run, numbers that may turn out to be names. One step per byte; BPF programs and
 * userspace run the same code, so an id made in the kernel is the one made of the same text here.
 *
 *	tap_my_digest_init(&digest);
 *	for each byte: tap_my_digest_step(&digest, byte);
 *	id = tap_my_digest_final(&digest);
 *
 * What folds is what MariaDB's own digests fold (10.11, tests/live/test_my_digest.py): literals and ? are one token,
 * NULL where it is a literal and the name of a @variable too; signs before a number where an expression begins; lists
 *of values are one token; rows of values, and lists of such rows, too. Keywords are spelt in any letters, names in
 *theirs; a `name` is the bare word of that spelling unless that is a keyword. The id is own: it is no server's digest.
 * Known limits: words that are one to the server are two here (INT and INTEGER, DISTINCT and DISTINCTROW; digest.h has
 *a way to join them), and so are _latin1'x' and _utf8mb4'x'; what is run of a comment does not depend on the version in
 * it; sql_mode ANSI_QUOTES, NO_BACKSLASH_ESCAPES and IGNORE_SPACE are not known here.
 *
 * The id of a text that was cut is of what is there; the open token is forgotten. It is never 0.
 */
#ifndef TAP_BPF_ABI_MY_DIGEST_H
#define TAP_BPF_ABI_MY_DIGEST_H

#include "bpf/abi/my_keywords.h"
#include "bpf/abi/types.h"

#define TAP_MY_DIGEST_VERSION 2

#define TAP_MY_INLINE static inline __attribute__((always_inline))

/* Where the last byte left the tokenizer. */
enum tap_my_lex {
	TAP_MY_GAP,
	TAP_MY_WORD,
	TAP_MY_NUMBER,
	TAP_MY_NUMBER_E, /* after an e in it: a sign may follow */
	TAP_MY_STRING,
	TAP_MY_STRING_B, /* after a backslash */
	TAP_MY_STRING_Q, /* after its quote: the end, or half of two */
	TAP_MY_NAME,
	TAP_MY_NAME_Q,
	TAP_MY_DASH,   /* after - */
	TAP_MY_DASHES, /* after -- */
	TAP_MY_SLASH,
	TAP_MY_DOT,
	TAP_MY_LINE,
	TAP_MY_COMMENT,
	TAP_MY_COMMENT_STAR,
	TAP_MY_COMMENT_BEGIN, /* right behind its mark */
	TAP_MY_COMMENT_M,     /* behind an M there */
	TAP_MY_COMMENT_RUN,   /* in the version of one that is run */
	TAP_MY_END,
};

/* What a token is to the rules that fold. */
enum tap_my_token {
	TAP_MY_T_NONE, /* nothing, or not known any more */
	TAP_MY_T_OTHER,
	TAP_MY_T_DOT,
	TAP_MY_T_AT,
	/* From here on to VALUE a NULL that follows is a literal ... */
	TAP_MY_T_PLACE,
	TAP_MY_T_BANG,
	TAP_MY_T_LESS,
	TAP_MY_T_GREATER,
	TAP_MY_T_UNEQUAL, /* <> and != */
	/* ... and signs before a number that follows belong to it. */
	TAP_MY_T_OPENS,
	TAP_MY_T_STAR,
	TAP_MY_T_SIGN,
	TAP_MY_T_COMMA,
	TAP_MY_T_BRACKET, /* ( */
	TAP_MY_T_NOT,	  /* but for NOT NULL */
	TAP_MY_T_HEX,	  /* x'00', which no list takes up */
	TAP_MY_T_VALUE,
	TAP_MY_T_VALUES, /* two and more, with commas */
	TAP_MY_T_ROW,	 /* ( value ) */
	TAP_MY_T_ROWS,
	TAP_MY_T_WIDE_ROW, /* ( values ) */
	TAP_MY_T_WIDE_ROWS,
	TAP_MY_T_COUNT,
};

enum {
	TAP_MY_TOKENS_KEPT = 6, /* ROW , ( VALUE , - is the longest before what folds */
};

struct tap_my_digest {
	__u64 hash;			  /* of the tokens so far */
	__u64 token;			  /* of the bytes of the open token, in small letters */
	__u64 capitals;			  /* which of them were none; 0: all were small */
	__u64 before[TAP_MY_TOKENS_KEPT]; /* what `hash` was before each of the last tokens, the last one first */
	__u8 kinds[TAP_MY_TOKENS_KEPT];	  /* enum tap_my_token of these */
	__u8 pad[2];
	__u32 at;	/* bytes seen */
	__u32 begin;	/* where the open token began */
	__u8 state;	/* enum tap_my_lex */
	__u8 quote;	/* of the open string */
	__u8 size;	/* of the open token, 255 at most */
	__u8 semicolon; /* held: it counts when something follows */
	__u32 pad2;
};
TAP_ABI_SIZE(tap_my_digest, 96);

/*
 * Told of every change to the list of tokens: `pops` are taken back, then one of `kind` is added (NONE: none). For a
 * consumer that writes text.
 */
#ifndef TAP_MY_DIGEST_ON_TOKEN
#define TAP_MY_DIGEST_ON_TOKEN(digest, pops, kind)
#define TAP_MY_DIGEST_ON_SEMICOLON(digest) /* one is added that was held back */
#endif
/* The token that stands for a word that is no name. */
#ifndef TAP_MY_DIGEST_WORD
#define TAP_MY_DIGEST_WORD(digest, word) (word)
#endif

#define TAP_MY_TOKEN_PRIME 0x9e3779b97f4a7c15ull
#define TAP_MY_HASH_PRIME 0xd6e8feb86659fd93ull
#define TAP_MY_SEED (0x6462746170006d79ull + ((__u64)TAP_MY_DIGEST_VERSION << 56))

TAP_MY_INLINE int tap_my_is_digit(unsigned char byte)
{
	return byte >= '0' && byte <= '9';
}

/* Bytes of multi-byte characters are letters to the servers, too. */
TAP_MY_INLINE int tap_my_is_word(unsigned char byte)
{
	unsigned char lower = byte | 0x20;

	return (lower >= 'a' && lower <= 'z') || tap_my_is_digit(byte) || byte == '_' || byte == '$' || byte >= 0x80;
}

TAP_MY_INLINE int tap_my_is_space(unsigned char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

TAP_MY_INLINE void tap_my_byte(struct tap_my_digest *digest, unsigned char byte)
{
	__u64 capital = byte >= 'A' && byte <= 'Z';

	digest->capitals = (digest->capitals << 1 | digest->capitals >> 63) ^ capital;
	digest->token = (digest->token ^ (byte | capital << 5)) * TAP_MY_TOKEN_PRIME;
	if (digest->size < 255)
		digest->size++;
}

TAP_MY_INLINE void tap_my_push(struct tap_my_digest *digest, __u8 kind, __u64 token)
{
	__u64 hash = (digest->hash ^ token) * TAP_MY_HASH_PRIME;

	for (int i = TAP_MY_TOKENS_KEPT - 1; i > 0; i--) {
		digest->before[i] = digest->before[i - 1];
		digest->kinds[i] = digest->kinds[i - 1];
	}
	digest->before[0] = digest->hash;
	digest->kinds[0] = kind;
	digest->hash = hash ^ hash >> 32;
}

TAP_MY_INLINE void tap_my_pop(struct tap_my_digest *digest)
{
	digest->hash = digest->before[0];
	for (int i = 0; i + 1 < TAP_MY_TOKENS_KEPT; i++) {
		digest->before[i] = digest->before[i + 1];
		digest->kinds[i] = digest->kinds[i + 1];
	}
	digest->kinds[TAP_MY_TOKENS_KEPT - 1] = TAP_MY_T_NONE;
}

/* `token` of a word, as a constant. */
#define TAP_MY_W1(a) (TAP_MY_TOKEN_PRIME * (a))
#define TAP_MY_W2(a, b) ((TAP_MY_W1(a) ^ (b)) * TAP_MY_TOKEN_PRIME)
#define TAP_MY_W3(a, b, c) ((TAP_MY_W2(a, b) ^ (c)) * TAP_MY_TOKEN_PRIME)
#define TAP_MY_W4(a, b, c, d) ((TAP_MY_W3(a, b, c) ^ (d)) * TAP_MY_TOKEN_PRIME)
#define TAP_MY_W5(a, b, c, d, e) ((TAP_MY_W4(a, b, c, d) ^ (e)) * TAP_MY_TOKEN_PRIME)
#define TAP_MY_W6(a, b, c, d, e, f) ((TAP_MY_W5(a, b, c, d, e) ^ (f)) * TAP_MY_TOKEN_PRIME)
#define TAP_MY_W7(a, b, c, d, e, f, g) ((TAP_MY_W6(a, b, c, d, e, f) ^ (g)) * TAP_MY_TOKEN_PRIME)
#define TAP_MY_W8(a, b, c, d, e, f, g, h) ((TAP_MY_W7(a, b, c, d, e, f, g) ^ (h)) * TAP_MY_TOKEN_PRIME)

/* Whether a word is a keyword, by its token. */
TAP_MY_INLINE int tap_my_is_keyword(__u64 token)
{
	__u32 bucket = token >> TAP_MY_KEYWORD_SHIFT & ((1 << TAP_MY_KEYWORD_BITS) - 1);
	const __u32 *words = tap_my_keywords + (__u64)bucket * TAP_MY_KEYWORD_DEEP;
	__u32 half = (__u32)token;

	return words[0] == half || words[1] == half || words[2] == half || words[3] == half;
}

/* Keywords after which an expression begins, so that a sign there belongs to its number; NOT is one, too. */
TAP_MY_INLINE int tap_my_opens(__u64 word)
{
	switch (word) {
	case TAP_MY_W2('a', 't'):
	case TAP_MY_W2('o', 'r'):
	case TAP_MY_W2('i', 'f'):
	case TAP_MY_W3('a', 'n', 'd'):
	case TAP_MY_W3('d', 'i', 'v'):
	case TAP_MY_W3('m', 'o', 'd'):
	case TAP_MY_W3('x', 'o', 'r'):
	case TAP_MY_W4('c', 'a', 's', 'e'):
	case TAP_MY_W4('e', 'n', 'd', 's'):
	case TAP_MY_W4('l', 'i', 'k', 'e'):
	case TAP_MY_W4('w', 'h', 'e', 'n'):
	case TAP_MY_W5('e', 'v', 'e', 'r', 'y'):
	case TAP_MY_W5('r', 'l', 'i', 'k', 'e'):
	case TAP_MY_W5('u', 'n', 't', 'i', 'l'):
	case TAP_MY_W5('w', 'h', 'i', 'l', 'e'):
	case TAP_MY_W6('e', 'l', 's', 'e', 'i', 'f'):
	case TAP_MY_W6('r', 'e', 'g', 'e', 'x', 'p'):
	case TAP_MY_W6('r', 'e', 't', 'u', 'r', 'n'):
	case TAP_MY_W6('s', 'e', 'l', 'e', 'c', 't'):
	case TAP_MY_W6('s', 't', 'a', 'r', 't', 's'):
	case TAP_MY_W7('b', 'e', 't', 'w', 'e', 'e', 'n'):
	case TAP_MY_W7('d', 'e', 'f', 'a', 'u', 'l', 't'):
	case TAP_MY_W8('i', 'n', 't', 'e', 'r', 'v', 'a', 'l'):
		return 1;
	}
	return 0;
}

/* Others after which a NULL is a literal. */
TAP_MY_INLINE int tap_my_is_place(__u64 word)
{
	switch (word) {
	case TAP_MY_W2('b', 'y'):
	case TAP_MY_W2('o', 'n'):
	case TAP_MY_W3('a', 'l', 'l'):
	case TAP_MY_W4('e', 'l', 's', 'e'):
	case TAP_MY_W4('t', 'h', 'e', 'n'):
	case TAP_MY_W5('w', 'h', 'e', 'r', 'e'):
	case TAP_MY_W6('b', 'i', 'n', 'a', 'r', 'y'):
	case TAP_MY_W6('h', 'a', 'v', 'i', 'n', 'g'):
	case TAP_MY_W8('d', 'i', 's', 't', 'i', 'n', 'c', 't'):
		return 1;
	}
	return 0;
}

TAP_MY_INLINE __u8 tap_my_kind_of_word(__u64 word)
{
	if (word == TAP_MY_W3('n', 'o', 't'))
		return TAP_MY_T_NOT;
	if (tap_my_is_place(word))
		return TAP_MY_T_PLACE;
	return tap_my_opens(word) ? TAP_MY_T_OPENS : TAP_MY_T_OTHER;
}

/* A semicolon counts when something follows it, be it a comment. */
TAP_MY_INLINE void tap_my_semicolon(struct tap_my_digest *digest)
{
	if (!digest->semicolon)
		return;
	digest->semicolon = 0;
	TAP_MY_DIGEST_ON_SEMICOLON(digest);
	tap_my_push(digest, TAP_MY_T_OTHER, TAP_MY_W1(';'));
}

TAP_MY_INLINE void tap_my_plain(struct tap_my_digest *digest, __u8 kind, __u64 token)
{
	tap_my_semicolon(digest);
	TAP_MY_DIGEST_ON_TOKEN(digest, 0, kind);
	tap_my_push(digest, kind, token);
}

/* Takes up to 4 tokens back. */
TAP_MY_INLINE void tap_my_pops(struct tap_my_digest *digest, __u32 pops)
{
	if (pops > 0)
		tap_my_pop(digest);
	if (pops > 1)
		tap_my_pop(digest);
	if (pops > 2)
		tap_my_pop(digest);
	if (pops > 3)
		tap_my_pop(digest);
}

TAP_MY_INLINE void tap_my_fold_back(struct tap_my_digest *digest, __u32 pops)
{
	TAP_MY_DIGEST_ON_TOKEN(digest, pops, TAP_MY_T_NONE);
	tap_my_pops(digest, pops);
}

/* Takes tokens back and adds one that stands for them all. Its salt keeps kinds apart from words. */
TAP_MY_INLINE void tap_my_fold(struct tap_my_digest *digest, __u32 pops, __u8 kind)
{
	TAP_MY_DIGEST_ON_TOKEN(digest, pops, kind);
	tap_my_pops(digest, pops);
	tap_my_push(digest, kind, 0x510e527fade682d1ull + kind);
}

TAP_MY_INLINE int tap_my_expression_next(__u8 kind)
{
	return kind >= TAP_MY_T_OPENS && kind <= TAP_MY_T_NOT;
}

TAP_MY_INLINE void tap_my_value(struct tap_my_digest *digest, int number)
{
	tap_my_semicolon(digest);
	/* More signs than three before a number are rare enough to count. */
	for (int i = 0; i < 3; i++) {
		if (number && digest->kinds[0] == TAP_MY_T_SIGN && tap_my_expression_next(digest->kinds[1]))
			tap_my_fold_back(digest, 1);
	}
	if (digest->kinds[0] == TAP_MY_T_COMMA &&
	    (digest->kinds[1] == TAP_MY_T_VALUE || digest->kinds[1] == TAP_MY_T_VALUES))
		tap_my_fold(digest, 2, TAP_MY_T_VALUES);
	else
		tap_my_fold(digest, 0, TAP_MY_T_VALUE);
}

/* A row that follows one of its kind and a comma joins it. */
TAP_MY_INLINE void tap_my_row(struct tap_my_digest *digest, __u8 row, __u8 rows)
{
	if (digest->kinds[2] == TAP_MY_T_COMMA && (digest->kinds[3] == row || digest->kinds[3] == rows))
		tap_my_fold(digest, 4, rows);
	else
		tap_my_fold(digest, 2, row);
}

TAP_MY_INLINE void tap_my_close(struct tap_my_digest *digest)
{
	if (digest->kinds[1] == TAP_MY_T_BRACKET && digest->kinds[0] == TAP_MY_T_VALUE)
		tap_my_row(digest, TAP_MY_T_ROW, TAP_MY_T_ROWS);
	else if (digest->kinds[1] == TAP_MY_T_BRACKET && digest->kinds[0] == TAP_MY_T_VALUES)
		tap_my_row(digest, TAP_MY_T_WIDE_ROW, TAP_MY_T_WIDE_ROWS);
	else
		tap_my_plain(digest, TAP_MY_T_OTHER, TAP_MY_W1(')'));
}

TAP_MY_INLINE __u8 tap_my_kind_of_mark(unsigned char byte, __u8 before)
{
	switch (byte) {
	case ',':
		return TAP_MY_T_COMMA;
	case '(':
		return TAP_MY_T_BRACKET;
	case '-':
	case '+':
		return TAP_MY_T_SIGN;
	case '.':
		return TAP_MY_T_DOT;
	case '@':
		return TAP_MY_T_AT;
	case '!':
		return TAP_MY_T_BANG;
	case '*':
		return TAP_MY_T_STAR;
	case '<':
		return before == TAP_MY_T_LESS ? TAP_MY_T_OPENS : TAP_MY_T_LESS;
	case '>':
		return before == TAP_MY_T_GREATER ? TAP_MY_T_OPENS : TAP_MY_T_GREATER;
	case '/':
	case '%':
	case '^':
	case '|':
	case '&':
		return TAP_MY_T_OPENS;
	default:
		return TAP_MY_T_PLACE;
	}
}

/* A token of one byte. */
TAP_MY_INLINE void tap_my_operator(struct tap_my_digest *digest, unsigned char byte)
{
	if (byte == ')') {
		tap_my_semicolon(digest);
		tap_my_close(digest);
	} else if (byte == ';') {
		digest->semicolon = digest->kinds[0] != TAP_MY_T_NONE;
	} else if ((byte == '>' && digest->kinds[0] == TAP_MY_T_LESS) ||
		   (byte == '=' && digest->kinds[0] == TAP_MY_T_BANG)) {
		tap_my_fold(digest, 1, TAP_MY_T_UNEQUAL);
	} else {
		tap_my_plain(digest, tap_my_kind_of_mark(byte, digest->kinds[0]), TAP_MY_W1(byte));
	}
}

/* A byte after the end of a token; how the next state begins. */
TAP_MY_INLINE void tap_my_begin(struct tap_my_digest *digest, unsigned char byte)
{
	__u32 before = digest->begin;

	digest->token = 0;
	digest->capitals = 0;
	digest->size = 0;
	if (!tap_my_is_space(byte))
		digest->begin = digest->at;
	digest->quote = 0;
	digest->state = TAP_MY_GAP;
	if (!byte) {
		digest->state = TAP_MY_END;
	} else if (tap_my_is_digit(byte)) {
		tap_my_byte(digest, byte);
		digest->state = TAP_MY_NUMBER;
	} else if (tap_my_is_word(byte)) {
		tap_my_byte(digest, byte);
		digest->state = TAP_MY_WORD;
	} else if (byte == '\'' || byte == '"') {
		digest->quote = byte;
		digest->state = TAP_MY_STRING;
	} else if (byte == '`') {
		digest->state = TAP_MY_NAME;
	} else if (byte == '-') {
		digest->state = TAP_MY_DASH;
	} else if (byte == '/' && digest->kinds[0] == TAP_MY_T_STAR && before + 1 == digest->at) {
		/* The end of a comment that is run. */
		tap_my_fold_back(digest, 1);
	} else if (byte == '/') {
		digest->state = TAP_MY_SLASH;
	} else if (byte == '.') {
		digest->state = TAP_MY_DOT;
	} else if (byte == '#') {
		tap_my_semicolon(digest);
		digest->state = TAP_MY_LINE;
	} else if (byte == '?') {
		tap_my_value(digest, 0);
	} else if (!tap_my_is_space(byte)) {
		tap_my_operator(digest, byte);
	}
}

/* x'00', b'1' and n'text' are literals as a whole. */
TAP_MY_INLINE int tap_my_is_prefix(const struct tap_my_digest *digest, unsigned char byte)
{
	return byte == '\'' && digest->size == 1 &&
	       (digest->token == TAP_MY_W1('x') || digest->token == TAP_MY_W1('b') || digest->token == TAP_MY_W1('n'));
}

/* The token of a name: in its own letters, and another one than the keyword of that spelling. */
TAP_MY_INLINE __u64 tap_my_name(const struct tap_my_digest *digest)
{
	__u64 token = digest->token ^ digest->capitals * TAP_MY_HASH_PRIME;

	return tap_my_is_keyword(digest->token) ? ~token : token;
}

/* Whether what comes now is the name of a user's variable: behind one @, not two. */
TAP_MY_INLINE int tap_my_is_variable(const struct tap_my_digest *digest)
{
	return digest->kinds[0] == TAP_MY_T_AT && digest->kinds[1] != TAP_MY_T_AT;
}

/* A word is over; `byte` follows. After a dot it is a name, also one that is spelt like a keyword. */
TAP_MY_INLINE void tap_my_end_word(struct tap_my_digest *digest, unsigned char byte)
{
	__u64 token = digest->token;
	__u8 before = digest->kinds[0];

	if (tap_my_is_variable(digest) ||
	    (token == TAP_MY_W4('n', 'u', 'l', 'l') && before >= TAP_MY_T_PLACE && before <= TAP_MY_T_BRACKET)) {
		tap_my_value(digest, 0);
		return;
	}
	if (before == TAP_MY_T_DOT) {
		tap_my_plain(digest, TAP_MY_T_OTHER, tap_my_name(digest));
		return;
	}
	/* A function's name is a keyword only with its bracket. */
	if (digest->capitals && !tap_my_is_keyword(token) &&
	    !(byte == '(' && tap_my_is_keyword((token ^ '(') * TAP_MY_TOKEN_PRIME)))
		token ^= digest->capitals * TAP_MY_HASH_PRIME;
	tap_my_plain(digest, tap_my_kind_of_word(token), TAP_MY_DIGEST_WORD(digest, token));
}

TAP_MY_INLINE void tap_my_in_word(struct tap_my_digest *digest, unsigned char byte)
{
	if (tap_my_is_word(byte) || (byte == '.' && tap_my_is_variable(digest))) {
		tap_my_byte(digest, byte);
	} else if (tap_my_is_prefix(digest, byte)) {
		digest->quote = byte;
		digest->state = TAP_MY_STRING;
	} else {
		tap_my_end_word(digest, byte);
		tap_my_begin(digest, byte);
	}
}

/* Digits and what may follow them; other letters make a name of it: 2020_sales is one. */
TAP_MY_INLINE void tap_my_in_number(struct tap_my_digest *digest, unsigned char byte)
{
	unsigned char lower = byte | 0x20;
	int hex = digest->size == 1 && digest->token == TAP_MY_W1('0') && (byte == 'x' || byte == 'b');

	if (digest->state == TAP_MY_NUMBER_E && (byte == '-' || byte == '+')) {
		digest->state = TAP_MY_NUMBER;
	} else if (tap_my_is_digit(byte) || byte == '.') {
		if (digest->state == TAP_MY_NUMBER_E)
			digest->state = TAP_MY_NUMBER;
		tap_my_byte(digest, byte);
	} else if (hex) {
		tap_my_byte(digest, byte);
		digest->quote = 'x';
	} else if (digest->quote == 'x' && lower >= 'a' && lower <= 'f') {
		tap_my_byte(digest, byte);
	} else if (digest->state == TAP_MY_NUMBER && lower == 'e') {
		tap_my_byte(digest, byte);
		digest->state = TAP_MY_NUMBER_E;
	} else if (tap_my_is_word(byte)) {
		tap_my_byte(digest, byte);
		digest->state = TAP_MY_WORD;
	} else {
		tap_my_value(digest, 1);
		tap_my_begin(digest, byte);
	}
}

/* What its prefix was is still in the token. */
TAP_MY_INLINE void tap_my_end_string(struct tap_my_digest *digest)
{
	if (digest->token != TAP_MY_W1('x')) {
		tap_my_value(digest, 0);
		return;
	}
	tap_my_semicolon(digest);
	tap_my_fold(digest, 0, TAP_MY_T_HEX);
}

TAP_MY_INLINE void tap_my_in_string(struct tap_my_digest *digest, unsigned char byte)
{
	if (digest->state == TAP_MY_STRING_B) {
		digest->state = TAP_MY_STRING;
	} else if (digest->state == TAP_MY_STRING_Q) {
		if (byte == digest->quote) {
			digest->state = TAP_MY_STRING;
		} else {
			tap_my_end_string(digest);
			tap_my_begin(digest, byte);
		}
	} else if (byte == '\\') {
		digest->state = TAP_MY_STRING_B;
	} else if (byte == digest->quote) {
		digest->state = TAP_MY_STRING_Q;
	}
}

TAP_MY_INLINE void tap_my_in_name(struct tap_my_digest *digest, unsigned char byte)
{
	if (digest->state == TAP_MY_NAME && byte == '`') {
		digest->state = TAP_MY_NAME_Q;
	} else if (digest->state == TAP_MY_NAME || byte == '`') {
		tap_my_byte(digest, byte);
		digest->state = TAP_MY_NAME;
	} else {
		tap_my_plain(digest, TAP_MY_T_OTHER, tap_my_name(digest));
		tap_my_begin(digest, byte);
	}
}

/* After -, --, / and . , each of which may turn out to be something longer. */
TAP_MY_INLINE void tap_my_in_mark(struct tap_my_digest *digest, unsigned char byte)
{
	__u8 state = digest->state;

	if (state == TAP_MY_DASH && byte == '-') {
		digest->state = TAP_MY_DASHES;
	} else if (state == TAP_MY_DASHES && (tap_my_is_space(byte) || !byte)) {
		tap_my_semicolon(digest);
		digest->state = byte == '\n' ? TAP_MY_GAP : TAP_MY_LINE;
	} else if (state == TAP_MY_SLASH && byte == '*') {
		tap_my_semicolon(digest);
		digest->state = TAP_MY_COMMENT_BEGIN;
	} else if (state == TAP_MY_DOT && tap_my_is_digit(byte) &&
		   (digest->quote || digest->kinds[0] != TAP_MY_T_OTHER)) {
		digest->quote = 0;
		tap_my_byte(digest, byte);
		digest->state = TAP_MY_NUMBER;
	} else {
		if (state == TAP_MY_DASHES)
			tap_my_operator(digest, '-');
		tap_my_operator(digest, state == TAP_MY_SLASH ? '/' : state == TAP_MY_DOT ? '.' : '-');
		tap_my_begin(digest, byte);
	}
}

TAP_MY_INLINE void tap_my_in_comment(struct tap_my_digest *digest, unsigned char byte)
{
	if (digest->state == TAP_MY_LINE) {
		if (byte == '\n')
			digest->state = TAP_MY_GAP;
	} else if (digest->state == TAP_MY_COMMENT_STAR && byte == '/') {
		digest->state = TAP_MY_GAP;
	} else if (digest->state == TAP_MY_COMMENT_RUN) {
		if (!tap_my_is_digit(byte))
			tap_my_begin(digest, byte);
	} else if (digest->state >= TAP_MY_COMMENT_BEGIN && byte == '!') {
		digest->state = TAP_MY_COMMENT_RUN;
	} else if (digest->state == TAP_MY_COMMENT_BEGIN && byte == 'M') {
		digest->state = TAP_MY_COMMENT_M;
	} else {
		digest->state = byte == '*' ? TAP_MY_COMMENT_STAR : TAP_MY_COMMENT;
	}
}

TAP_MY_INLINE void tap_my_digest_init(struct tap_my_digest *digest)
{
	*digest = (struct tap_my_digest){ .hash = TAP_MY_SEED };
}

/* States in which no byte but their own ends the token. */
TAP_MY_INLINE int tap_my_is_inside(__u8 state)
{
	return state == TAP_MY_STRING || state == TAP_MY_STRING_B || state == TAP_MY_NAME || state >= TAP_MY_LINE;
}

/* One byte. A NUL ends the text: what follows is ignored. */
TAP_MY_INLINE void tap_my_digest_step(struct tap_my_digest *digest, unsigned char byte)
{
	if (!byte && tap_my_is_inside(digest->state))
		digest->state = TAP_MY_END;
	switch (digest->state) {
	case TAP_MY_GAP:
		tap_my_begin(digest, byte);
		/* With a gap before it a dot is never part of a name. */
		digest->quote = digest->state == TAP_MY_DOT ? '.' : digest->quote;
		break;
	case TAP_MY_WORD:
		tap_my_in_word(digest, byte);
		break;
	case TAP_MY_NUMBER:
	case TAP_MY_NUMBER_E:
		tap_my_in_number(digest, byte);
		break;
	case TAP_MY_STRING:
	case TAP_MY_STRING_B:
	case TAP_MY_STRING_Q:
		tap_my_in_string(digest, byte);
		break;
	case TAP_MY_NAME:
	case TAP_MY_NAME_Q:
		tap_my_in_name(digest, byte);
		break;
	case TAP_MY_DASH:
	case TAP_MY_DASHES:
	case TAP_MY_SLASH:
	case TAP_MY_DOT:
		tap_my_in_mark(digest, byte);
		break;
	case TAP_MY_END:
		break;
	default:
		tap_my_in_comment(digest, byte);
	}
	digest->at++;
}

/* A list that was cut is one id wherever it was cut: no whole statement ends so. */
TAP_MY_INLINE void tap_my_forget_cut(struct tap_my_digest *digest)
{
	__u8 value;

	if (digest->kinds[0] == TAP_MY_T_COMMA)
		tap_my_fold_back(digest, 1);
	value = digest->kinds[0];
	if ((value == TAP_MY_T_VALUE || value == TAP_MY_T_VALUES) && digest->kinds[1] == TAP_MY_T_BRACKET &&
	    digest->kinds[2] == TAP_MY_T_COMMA && digest->kinds[3] >= TAP_MY_T_ROW)
		tap_my_fold_back(digest, 3);
	else if (value == TAP_MY_T_BRACKET && digest->kinds[1] == TAP_MY_T_COMMA && digest->kinds[2] >= TAP_MY_T_ROW)
		tap_my_fold_back(digest, 2);
}

/* The id of what was seen; never 0. The text is over then. */
TAP_MY_INLINE __u64 tap_my_digest_final(struct tap_my_digest *digest)
{
	__u64 hash;

	tap_my_digest_step(digest, 0);
	tap_my_forget_cut(digest);
	hash = digest->hash;
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdull;
	hash = (hash ^ hash >> 29) * 0xc4ceb9fe1a85ec53ull;
	hash ^= hash >> 32;
	return hash ? hash : 1;
}

#endif
