/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fingerprint.h - one id for all statements that differ only in literals, spacing, comments and the case of words.
 *
 * The tokenizer, the folding rules and the hash, as one step per byte. BPF programs run it over a text they read at a
 * context switch, correlate/fingerprint.c runs it for ids and for the readable text. How a token is printed belongs
 * there; nothing here keeps text.
 *
 *	tap_fp_init(&fp);
 *	for each byte: tap_fp_step(&fp, byte);        faster: tap_fp_run(&fp, bytes, n) on pieces of a constant size
 *	id = tap_fp_final(&fp);
 *
 * The id is stable: the same text gives the same id in every run, on every host and in every version of dbtap with the
 * same TAP_FP_VERSION, so it may be stored. A change of any rule or constant below raises that version. It is never 0.
 * A NUL ends the text: what follows is ignored, so a buffer of fixed size can be fed whole. A text that was cut gives
 * the id of what is there: a token open at the end ends quietly, a held comma or sign is forgotten, so that a long list
 * of literals gives one id wherever it is cut.
 *
 * Lexical rules are PostgreSQL's (its documentation, "Lexical Structure"), standard_conforming_strings on. What folds:
 *	- every literal and every $n is the same token; true, false and null too where a value can begin
 *	- a minus before a number is part of it where no operand precedes (several, too): `= -1`, `(- 1`, `limit -1`
 *	- IN ( and ARRAY [ followed by literals only: the list counts as its first one; of `1, 2, a` remains `1, a`
 *	- bare words lose their case (ASCII); "quoted" is the same token as the bare word of that spelling
 *	- string literals that follow each other are one (only valid over a line break)
 *	- semicolons at the start, at the end, or repeated
 * Known limit: a number takes letters that touch it along (`1and`, valid up to PostgreSQL 14).
 */
#ifndef TAP_BPF_ABI_FINGERPRINT_H
#define TAP_BPF_ABI_FINGERPRINT_H

#include "bpf/abi/types.h"

#define TAP_FP_VERSION 1

#define TAP_FP_INLINE static inline __attribute__((always_inline))

/*
 * Tables and the rare part of a step. libbpf finds the offsets of global variables only, and the verifier looks at a
 * global function once instead of once per byte and path; weak, so that several objects can be linked.
 */
#ifdef __bpf__
#define TAP_FP_TABLES const __attribute__((weak))
#define TAP_FP_RARE __attribute__((weak, noinline))
#else
#define TAP_FP_TABLES static const
#define TAP_FP_RARE TAP_FP_INLINE
#endif

/* Where the last byte left the tokenizer. */
enum tap_fp_state {
	TAP_FP_GAP,	  /* between tokens */
	TAP_FP_PUNCT,	  /* after ( ) [ ] , ; */
	TAP_FP_OP,	  /* after the first character of an operator */
	TAP_FP_OP_NEXT,	  /* after a further one, with nothing between */
	TAP_FP_SIGN,	  /* after '-', may become a comment */
	TAP_FP_SLASH,	  /* after '/', may become a comment */
	TAP_FP_DOT,	  /* after '.', may become a number */
	TAP_FP_WORD,	  /* in a keyword or a bare identifier */
	TAP_FP_UAMP,	  /* after u&, may become a string or a quoted identifier */
	TAP_FP_QUOTED_IN, /* after the " that opens an identifier */
	TAP_FP_QUOTED,	  /* in it */
	TAP_FP_QUOTED_Q,  /* after a " in it: its end, or half of "" */
	TAP_FP_STR,	  /* in a string */
	TAP_FP_STR_Q,	  /* after a ' in it */
	TAP_FP_ESTR,	  /* in a string with backslashes */
	TAP_FP_ESTR_B,	  /* after a backslash in it */
	TAP_FP_ESTR_Q,	  /* after a ' in it */
	TAP_FP_DOLLAR,	  /* after a '$' that begins a token */
	TAP_FP_TAG,	  /* in the opening $tag */
	TAP_FP_DSTR,	  /* in a dollar-quoted string */
	TAP_FP_DSTR_TAG,  /* after a '$' in it and what may be its tag */
	TAP_FP_DSTR_END,  /* after its closing $tag$ */
	TAP_FP_PARAM,	  /* in $1 */
	TAP_FP_ZERO,	  /* after a 0 that begins a number */
	TAP_FP_NUMBER,
	TAP_FP_NUMBER_E, /* after an e in it: a sign may follow */
	TAP_FP_HEX,
	TAP_FP_LINE, /* in a -- comment */
	TAP_FP_COMMENT,
	TAP_FP_COMMENT_STAR,
	TAP_FP_COMMENT_SLASH,
	TAP_FP_END, /* after a NUL */
	TAP_FP_STATES,
};

/* What a byte is: its column in the table. No column has the bit 0x10, so that twice a column leaves 0x20 free. */
enum tap_fp_class {
	TAP_FP_C_OP,
	TAP_FP_C_SPACE,
	TAP_FP_C_NEWLINE,
	TAP_FP_C_LETTER, /* with _ and every byte of a multi-byte character */
	TAP_FP_C_E,
	TAP_FP_C_X,
	TAP_FP_C_DIGIT,
	TAP_FP_C_ZERO,
	TAP_FP_C_QUOTE,
	TAP_FP_C_DQUOTE,
	TAP_FP_C_DOLLAR,
	TAP_FP_C_MINUS,
	TAP_FP_C_PLUS,
	TAP_FP_C_SLASH,
	TAP_FP_C_STAR,
	TAP_FP_C_DOT,
	TAP_FP_C_BACKSLASH = 0x20,
	TAP_FP_C_AMP,
	TAP_FP_C_PUNCT,
	TAP_FP_C_NUL,
	TAP_FP_COLUMNS = 0x40,
};

/* An entry of the class table: the column's offset in its row, and the bit that makes a capital letter small. */
enum {
	TAP_FP_COLUMN_MASK = 0x5e,
	TAP_FP_UPPER = 0x20,
};

/* A cell of the table: the offset of the next state's row, and these flags. */
enum {
	TAP_FP_BEGIN = 0x1, /* a token begins with this byte */
	TAP_FP_LEAVE = 0x2, /* a token ended before this byte */
	TAP_FP_ASK = 0x4,   /* a table cannot know: tap_fp_decide */
	TAP_FP_MUTE = 0x8,  /* the byte does not count for its token */
	TAP_FP_FOLD = 0x20, /* the byte belongs to a word, its case does not count; the same bit as TAP_FP_UPPER */
	TAP_FP_ROW_SHIFT = 7,
	TAP_FP_ROW_MASK = 0xf80,
	TAP_FP_KEEP = 0x8000, /* the token counted bytes before this one; the highest bit, to make a mask of it */
};

/* What a step did, for a consumer that writes text: TAP_FP_BEGIN, and these, in the order in which they come out. */
enum tap_fp_did {
	TAP_FP_ENDED = 0x10000,	   /* a token ended before this byte; held or dropped but with one of the last three */
	TAP_FP_SEMI = 0x20000,	   /* the held semicolon counts after all */
	TAP_FP_COMMA = 0x40000,	   /* the held comma of a list counts after all */
	TAP_FP_LATE = 0x80000,	   /* a comma and the literal folded last count after all */
	TAP_FP_MINUS = 0x100000,   /* the held signs count after all */
	TAP_FP_TOKEN = 0x200000,   /* the ended token counts as it is */
	TAP_FP_LITERAL = 0x400000, /* the ended token is a literal; signs still held are part of it */
	TAP_FP_FOLDED = 0x800000,  /* the ended token went into the list before it, with the signs held */
};

/* What kind of token ends when a state is left. */
enum tap_fp_kind {
	TAP_FP_K_NONE,
	TAP_FP_K_WORD,
	TAP_FP_K_NAME, /* like a word, never a keyword */
	TAP_FP_K_UAMP, /* a word u and an operator & */
	TAP_FP_K_OP,
	TAP_FP_K_OP_NEXT,
	TAP_FP_K_SIGN,
	TAP_FP_K_PUNCT,
	TAP_FP_K_STR, /* from here on: literals */
	TAP_FP_K_ESTR,
	TAP_FP_K_NUMBER,
	TAP_FP_K_OTHER, /* dollar-quoted or $n */
};

/* What the last token that counted means for the next. */
enum tap_fp_before {
	TAP_FP_B_VALUE_NEXT, /* start, operator, opening bracket, comma: a value comes */
	TAP_FP_B_WORD,	     /* `word` says which */
	TAP_FP_B_OPERAND,
	TAP_FP_B_STR,
	TAP_FP_B_ESTR,
};

/* Where in a list that may fold. */
enum tap_fp_list {
	TAP_FP_L_NONE,
	TAP_FP_L_OPEN,	 /* after the bracket */
	TAP_FP_L_FIRST,	 /* after its first literal */
	TAP_FP_L_FOLDED, /* after a further one, which was left out */
	TAP_FP_L_COMMA,	 /* a comma is held */
	TAP_FP_L_DOTS,	 /* and dots came after it, as the readable text has them */
};

struct tap_fp {
	__u64 hash;   /* of the tokens that counted */
	__u64 token;  /* of the bytes of the open token */
	__u64 word;   /* `token` of the last word */
	__u64 tag;    /* `token` of the dollar quote's tag */
	__u32 depth;  /* comments around the innermost */
	__u32 did;    /* enum tap_fp_did of the last step that had any */
	__u8 state;   /* enum tap_fp_state */
	__u8 before;  /* enum tap_fp_before */
	__u8 list;    /* enum tap_fp_list */
	__u8 signs;   /* minus signs held, 255 at most */
	__u8 semi;    /* a semicolon is held */
	__u8 started; /* some token counted */
	__u8 pad[2];
};
TAP_ABI_SIZE(tap_fp, 48);

/* What every byte of a token goes through: the part of the state that a loop keeps in registers. */
struct tap_fp_cursor {
	__u64 token;
	__u64 move; /* the last cell */
};

#define TAP_FP_TOKEN_PRIME 0x9e3779b97f4a7c15ull
#define TAP_FP_HASH_PRIME 0xd6e8feb86659fd93ull
#define TAP_FP_SEED (0x6462746170667000ull + TAP_FP_VERSION)

/* Added to a token's own hash, so that kinds cannot be taken for each other. */
#define TAP_FP_SALT_OP 0x3c6ef372fe94f82bull
#define TAP_FP_SALT_OP_NEXT 0xa54ff53a5f1d36f1ull
#define TAP_FP_HASH_LITERAL 0x510e527fade682d1ull
#define TAP_FP_HASH_BYTE(byte) (TAP_FP_TOKEN_PRIME * (byte)) /* `token` of a token of one byte */
#define TAP_FP_HASH_OP(byte) (TAP_FP_HASH_BYTE(byte) + TAP_FP_SALT_OP)

/* clang-format off */
#define TAP_FP_8(x) x, x, x, x, x, x, x, x
#define TAP_FP_32(x) TAP_FP_8(x), TAP_FP_8(x), TAP_FP_8(x), TAP_FP_8(x)
#define TAP_FP_C(class) (TAP_FP_C_##class << 1)
#define TAP_FP_A_TO_Z(l, e, x) l, l, l, l, e, l, l, l, l, l, l, l, l, l, l, l, l, l, l, l, l, l, l, x, l, l

/*
 * Short names of the cells, two letters for the state before them one for what happens: t go to, e the token ends,
 * b one begins, n it ends and the next begins, r go to and count the token from here, m go to and do not count the
 * byte; `ask` is tap_fp_decide's.
 */
#define TAP_FP_R(state) (TAP_FP_##state << TAP_FP_ROW_SHIFT)
#define TAP_FP_T(state) (TAP_FP_R(state) | TAP_FP_KEEP)
#define TAP_FP_B(state) (TAP_FP_R(state) | TAP_FP_BEGIN)
#define TAP_FP_N(state) (TAP_FP_R(state) | TAP_FP_BEGIN | TAP_FP_LEAVE)
enum tap_fp_cell {
	TAP_FP_tGA = TAP_FP_T(GAP), TAP_FP_eGA = TAP_FP_T(GAP) | TAP_FP_LEAVE, TAP_FP_tEN = TAP_FP_T(END),
	TAP_FP_eEN = TAP_FP_T(END) | TAP_FP_LEAVE, TAP_FP_ask = TAP_FP_ASK,
	TAP_FP_bWO = TAP_FP_B(WORD) | TAP_FP_FOLD, TAP_FP_nWO = TAP_FP_N(WORD) | TAP_FP_FOLD,
	TAP_FP_tWO = TAP_FP_T(WORD) | TAP_FP_FOLD, TAP_FP_tUA = TAP_FP_T(UAMP),
	TAP_FP_bPU = TAP_FP_B(PUNCT), TAP_FP_nPU = TAP_FP_N(PUNCT), TAP_FP_bDO = TAP_FP_B(DOT),
	TAP_FP_nDO = TAP_FP_N(DOT),
	TAP_FP_bOP = TAP_FP_B(OP), TAP_FP_nOP = TAP_FP_N(OP), TAP_FP_nON = TAP_FP_N(OP_NEXT),
	TAP_FP_bSI = TAP_FP_B(SIGN), TAP_FP_nSI = TAP_FP_N(SIGN), TAP_FP_bSL = TAP_FP_B(SLASH),
	TAP_FP_nSL = TAP_FP_N(SLASH),
	TAP_FP_bQI = TAP_FP_B(QUOTED_IN), TAP_FP_nQI = TAP_FP_N(QUOTED_IN), TAP_FP_tQU = TAP_FP_T(QUOTED),
	TAP_FP_rQU = TAP_FP_R(QUOTED), TAP_FP_mQQ = TAP_FP_R(QUOTED_Q) | TAP_FP_MUTE,
	TAP_FP_bST = TAP_FP_B(STR), TAP_FP_nST = TAP_FP_N(STR), TAP_FP_tST = TAP_FP_T(STR),
	TAP_FP_tSQ = TAP_FP_T(STR_Q),
	TAP_FP_bES = TAP_FP_B(ESTR), TAP_FP_tES = TAP_FP_T(ESTR), TAP_FP_tEB = TAP_FP_T(ESTR_B),
	TAP_FP_tEQ = TAP_FP_T(ESTR_Q),
	TAP_FP_bDL = TAP_FP_B(DOLLAR), TAP_FP_nDL = TAP_FP_N(DOLLAR), TAP_FP_tTA = TAP_FP_T(TAG),
	TAP_FP_tDS = TAP_FP_T(DSTR),
	TAP_FP_tDT = TAP_FP_T(DSTR_TAG), TAP_FP_rDT = TAP_FP_R(DSTR_TAG), TAP_FP_tDE = TAP_FP_T(DSTR_END),
	TAP_FP_tPA = TAP_FP_T(PARAM), TAP_FP_bZE = TAP_FP_B(ZERO), TAP_FP_nZE = TAP_FP_N(ZERO),
	TAP_FP_tHE = TAP_FP_T(HEX),
	TAP_FP_bNU = TAP_FP_B(NUMBER), TAP_FP_nNU = TAP_FP_N(NUMBER), TAP_FP_tNU = TAP_FP_T(NUMBER),
	TAP_FP_tNE = TAP_FP_T(NUMBER_E), TAP_FP_tLI = TAP_FP_T(LINE), TAP_FP_tCO = TAP_FP_T(COMMENT),
	TAP_FP_tCS = TAP_FP_T(COMMENT_STAR), TAP_FP_tCL = TAP_FP_T(COMMENT_SLASH),
};

/* Columns: other space newline letter e x 1-9 0 ' " $ - + / * . \ & brackets NUL */
#define TAP_FP_ROW(state, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t) \
	.moves[TAP_FP_##state] = { TAP_FP_##a, TAP_FP_##b, TAP_FP_##c, TAP_FP_##d, TAP_FP_##e, TAP_FP_##f, TAP_FP_##g, \
			     TAP_FP_##h, TAP_FP_##i, TAP_FP_##j, TAP_FP_##k, TAP_FP_##l, TAP_FP_##m, TAP_FP_##n, \
			     TAP_FP_##o, TAP_FP_##p, [TAP_FP_C_BACKSLASH] = TAP_FP_##q, TAP_FP_##r, TAP_FP_##s, \
			     TAP_FP_##t }

struct tap_fp_tables {
	__u16 moves[TAP_FP_STATES][TAP_FP_COLUMNS];
	__u8 classes[256];
	__u8 kinds[TAP_FP_STATES]; /* what ends when a state is left, also by the end of the text */
};

TAP_FP_TABLES struct tap_fp_tables tap_fp_tables = {
	TAP_FP_ROW(GAP,           bOP,tGA,tGA,bWO,bWO,bWO,bNU,bZE,ask,bQI,bDL,bSI,bOP,bSL,bOP,bDO,bOP,bOP,bPU,tEN),
	TAP_FP_ROW(PUNCT,         nOP,eGA,eGA,nWO,nWO,nWO,nNU,nZE,nST,nQI,nDL,nSI,nOP,nSL,nOP,nDO,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(OP,            nON,eGA,eGA,nWO,nWO,nWO,nNU,nZE,nST,nQI,nDL,nSI,nOP,nSL,nON,nDO,nON,nON,nPU,eEN),
	TAP_FP_ROW(OP_NEXT,       nON,eGA,eGA,nWO,nWO,nWO,nNU,nZE,nST,nQI,nDL,nSI,nOP,nSL,nON,nDO,nON,nON,nPU,eEN),
	TAP_FP_ROW(SIGN,          nON,eGA,eGA,nWO,nWO,nWO,nNU,nZE,nST,nQI,nDL,tLI,nOP,nSL,nON,nDO,nON,nON,nPU,eEN),
	TAP_FP_ROW(SLASH,         nON,eGA,eGA,nWO,nWO,nWO,nNU,nZE,nST,nQI,nDL,nSI,nOP,nSL,tCO,nDO,nON,nON,nPU,eEN),
	TAP_FP_ROW(DOT,           nOP,eGA,eGA,nWO,nWO,nWO,tNU,tNU,nST,nQI,nDL,nSI,nOP,nSL,nOP,nDO,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(WORD,          nOP,eGA,eGA,tWO,tWO,tWO,tWO,tWO,ask,nQI,tWO,nSI,nOP,nSL,nOP,nDO,nOP,ask,nPU,eEN),
	TAP_FP_ROW(UAMP,          nON,eGA,eGA,nWO,nWO,nWO,nNU,nZE,tST,tQU,nDL,nSI,nOP,nSL,nON,nDO,nON,nON,nPU,eEN),
	TAP_FP_ROW(QUOTED_IN,     rQU,rQU,rQU,rQU,rQU,rQU,rQU,rQU,rQU,mQQ,rQU,rQU,rQU,rQU,rQU,rQU,rQU,rQU,rQU,eEN),
	TAP_FP_ROW(QUOTED,        tQU,tQU,tQU,tQU,tQU,tQU,tQU,tQU,tQU,mQQ,tQU,tQU,tQU,tQU,tQU,tQU,tQU,tQU,tQU,eEN),
	TAP_FP_ROW(QUOTED_Q,      nOP,eGA,eGA,nWO,nWO,nWO,nNU,nZE,nST,tQU,nDL,nSI,nOP,nSL,nOP,nDO,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(STR,           tST,tST,tST,tST,tST,tST,tST,tST,tSQ,tST,tST,tST,tST,tST,tST,tST,tST,tST,tST,eEN),
	TAP_FP_ROW(STR_Q,         nOP,eGA,eGA,nWO,nWO,nWO,nNU,nZE,tST,nQI,nDL,nSI,nOP,nSL,nOP,nDO,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(ESTR,          tES,tES,tES,tES,tES,tES,tES,tES,tEQ,tES,tES,tES,tES,tES,tES,tES,tEB,tES,tES,eEN),
	TAP_FP_ROW(ESTR_B,        tES,tES,tES,tES,tES,tES,tES,tES,tES,tES,tES,tES,tES,tES,tES,tES,tES,tES,tES,eEN),
	TAP_FP_ROW(ESTR_Q,        nOP,eGA,eGA,nWO,nWO,nWO,nNU,nZE,tES,nQI,nDL,nSI,nOP,nSL,nOP,nDO,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(DOLLAR,        nOP,eGA,eGA,tTA,tTA,tTA,tPA,tPA,nST,nQI,ask,nSI,nOP,nSL,nOP,nDO,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(TAG,           nOP,eGA,eGA,tTA,tTA,tTA,tTA,tTA,nST,nQI,ask,nSI,nOP,nSL,nOP,nDO,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(DSTR,          tDS,tDS,tDS,tDS,tDS,tDS,tDS,tDS,tDS,tDS,ask,tDS,tDS,tDS,tDS,tDS,tDS,tDS,tDS,eEN),
	TAP_FP_ROW(DSTR_TAG,      tDS,tDS,tDS,tDT,tDT,tDT,tDT,tDT,tDS,tDS,ask,tDS,tDS,tDS,tDS,tDS,tDS,tDS,tDS,eEN),
	TAP_FP_ROW(DSTR_END,      nOP,eGA,eGA,nWO,nWO,nWO,nNU,nZE,nST,nQI,nDL,nSI,nOP,nSL,nOP,nDO,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(PARAM,         nOP,eGA,eGA,nWO,nWO,nWO,tPA,tPA,nST,nQI,nDL,nSI,nOP,nSL,nOP,nDO,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(ZERO,          nOP,eGA,eGA,tNU,tNE,tHE,tNU,tNU,nST,nQI,nDL,nSI,nOP,nSL,nOP,tNU,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(NUMBER,        nOP,eGA,eGA,tNU,tNE,tNU,tNU,tNU,nST,nQI,nDL,nSI,nOP,nSL,nOP,tNU,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(NUMBER_E,      nOP,eGA,eGA,tNU,tNE,tNU,tNU,tNU,nST,nQI,nDL,tNU,tNU,nSL,nOP,tNU,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(HEX,           nOP,eGA,eGA,tHE,tHE,tHE,tHE,tHE,nST,nQI,nDL,nSI,nOP,nSL,nOP,tHE,nOP,nOP,nPU,eEN),
	TAP_FP_ROW(LINE,          tLI,tLI,tGA,tLI,tLI,tLI,tLI,tLI,tLI,tLI,tLI,tLI,tLI,tLI,tLI,tLI,tLI,tLI,tLI,tEN),
	TAP_FP_ROW(COMMENT,       tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCL,tCS,tCO,tCO,tCO,tCO,tEN),
	TAP_FP_ROW(COMMENT_STAR,  tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,ask,tCS,tCO,tCO,tCO,tCO,tEN),
	TAP_FP_ROW(COMMENT_SLASH, tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCO,tCL,ask,tCO,tCO,tCO,tCO,tEN),
	TAP_FP_ROW(END,           tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN,tEN),
	.classes = {
		/* 0x00 */ TAP_FP_C(NUL), TAP_FP_8(TAP_FP_C(OP)),
		/* \t.. */ TAP_FP_C(SPACE), TAP_FP_C(NEWLINE), TAP_FP_C(SPACE), TAP_FP_C(SPACE), TAP_FP_C(NEWLINE),
		/* 0x0e */ TAP_FP_C(OP), TAP_FP_C(OP), TAP_FP_8(TAP_FP_C(OP)), TAP_FP_8(TAP_FP_C(OP)),
		/*  !"# */ TAP_FP_C(SPACE), TAP_FP_C(OP), TAP_FP_C(DQUOTE), TAP_FP_C(OP),
		/* $%&' */ TAP_FP_C(DOLLAR), TAP_FP_C(OP), TAP_FP_C(AMP), TAP_FP_C(QUOTE),
		/* ()*+ */ TAP_FP_C(PUNCT), TAP_FP_C(PUNCT), TAP_FP_C(STAR), TAP_FP_C(PLUS),
		/* ,-./ */ TAP_FP_C(PUNCT), TAP_FP_C(MINUS), TAP_FP_C(DOT), TAP_FP_C(SLASH),
		/* 0-9  */ TAP_FP_C(ZERO), TAP_FP_8(TAP_FP_C(DIGIT)), TAP_FP_C(DIGIT),
		/* :;   */ TAP_FP_C(OP), TAP_FP_C(PUNCT),
		/* <=>? */ TAP_FP_C(OP), TAP_FP_C(OP), TAP_FP_C(OP), TAP_FP_C(OP),
		/* @    */ TAP_FP_C(OP),
		/* A-Z  */ TAP_FP_A_TO_Z(TAP_FP_C(LETTER) | TAP_FP_UPPER, TAP_FP_C(E) | TAP_FP_UPPER,
				TAP_FP_C(X) | TAP_FP_UPPER),
		/* [\]^ */ TAP_FP_C(PUNCT), TAP_FP_C(BACKSLASH), TAP_FP_C(PUNCT), TAP_FP_C(OP),
		/* _`   */ TAP_FP_C(LETTER), TAP_FP_C(OP),
		/* a-z  */ TAP_FP_A_TO_Z(TAP_FP_C(LETTER), TAP_FP_C(E), TAP_FP_C(X)),
		/* {|}~ */ TAP_FP_C(OP), TAP_FP_C(OP), TAP_FP_C(OP), TAP_FP_C(OP), TAP_FP_C(OP),
		/* 0x80 */ TAP_FP_32(TAP_FP_C(LETTER)), TAP_FP_32(TAP_FP_C(LETTER)),
		/* 0xc0 */ TAP_FP_32(TAP_FP_C(LETTER)), TAP_FP_32(TAP_FP_C(LETTER)),
	},
	.kinds = {
		[TAP_FP_PUNCT] = TAP_FP_K_PUNCT, [TAP_FP_OP] = TAP_FP_K_OP, [TAP_FP_OP_NEXT] = TAP_FP_K_OP_NEXT,
		[TAP_FP_SIGN] = TAP_FP_K_SIGN, [TAP_FP_SLASH] = TAP_FP_K_OP, [TAP_FP_DOT] = TAP_FP_K_PUNCT,
		[TAP_FP_WORD] = TAP_FP_K_WORD, [TAP_FP_UAMP] = TAP_FP_K_UAMP, [TAP_FP_QUOTED_IN] = TAP_FP_K_NAME,
		[TAP_FP_QUOTED] = TAP_FP_K_NAME, [TAP_FP_QUOTED_Q] = TAP_FP_K_NAME, [TAP_FP_STR] = TAP_FP_K_STR,
		[TAP_FP_STR_Q] = TAP_FP_K_STR, [TAP_FP_ESTR] = TAP_FP_K_ESTR, [TAP_FP_ESTR_B] = TAP_FP_K_ESTR,
		[TAP_FP_ESTR_Q] = TAP_FP_K_ESTR, [TAP_FP_DOLLAR] = TAP_FP_K_NAME, [TAP_FP_TAG] = TAP_FP_K_NAME,
		[TAP_FP_DSTR] = TAP_FP_K_OTHER, [TAP_FP_DSTR_TAG] = TAP_FP_K_OTHER,
		[TAP_FP_DSTR_END] = TAP_FP_K_OTHER, [TAP_FP_PARAM] = TAP_FP_K_OTHER,
		[TAP_FP_ZERO] = TAP_FP_K_NUMBER, [TAP_FP_NUMBER] = TAP_FP_K_NUMBER,
		[TAP_FP_NUMBER_E] = TAP_FP_K_NUMBER, [TAP_FP_HEX] = TAP_FP_K_NUMBER,
	},
};
/* clang-format on */

/* `token` of a word, as a constant. */
#define TAP_FP_W1(a) TAP_FP_HASH_BYTE(a)
#define TAP_FP_W2(a, b) ((TAP_FP_W1(a) ^ (b)) * TAP_FP_TOKEN_PRIME)
#define TAP_FP_W3(a, b, c) ((TAP_FP_W2(a, b) ^ (c)) * TAP_FP_TOKEN_PRIME)
#define TAP_FP_W4(a, b, c, d) ((TAP_FP_W3(a, b, c) ^ (d)) * TAP_FP_TOKEN_PRIME)
#define TAP_FP_W5(a, b, c, d, e) ((TAP_FP_W4(a, b, c, d) ^ (e)) * TAP_FP_TOKEN_PRIME)
#define TAP_FP_W6(a, b, c, d, e, f) ((TAP_FP_W5(a, b, c, d, e) ^ (f)) * TAP_FP_TOKEN_PRIME)
#define TAP_FP_W7(a, b, c, d, e, f, g) ((TAP_FP_W6(a, b, c, d, e, f) ^ (g)) * TAP_FP_TOKEN_PRIME)
#define TAP_FP_W8(a, b, c, d, e, f, g, h) ((TAP_FP_W7(a, b, c, d, e, f, g) ^ (h)) * TAP_FP_TOKEN_PRIME)
#define TAP_FP_W9(a, b, c, d, e, f, g, h, i) ((TAP_FP_W8(a, b, c, d, e, f, g, h) ^ (i)) * TAP_FP_TOKEN_PRIME)

/* Is it a keyword after which a value begins, so that a minus there is a sign and a null there is a value? */
TAP_FP_INLINE int tap_fp_opens_value(__u64 word)
{
	switch (word) {
	case TAP_FP_W2('b', 'y'):
	case TAP_FP_W2('o', 'n'):
	case TAP_FP_W2('o', 'r'):
	case TAP_FP_W2('t', 'o'):
	case TAP_FP_W3('a', 'l', 'l'):
	case TAP_FP_W3('a', 'n', 'd'):
	case TAP_FP_W3('f', 'o', 'r'):
	case TAP_FP_W4('c', 'a', 's', 'e'):
	case TAP_FP_W4('e', 'l', 's', 'e'):
	case TAP_FP_W4('f', 'r', 'o', 'm'):
	case TAP_FP_W4('l', 'i', 'k', 'e'):
	case TAP_FP_W4('t', 'h', 'e', 'n'):
	case TAP_FP_W4('w', 'h', 'e', 'n'):
	case TAP_FP_W4('w', 'i', 't', 'h'):
	case TAP_FP_W5('i', 'l', 'i', 'k', 'e'):
	case TAP_FP_W5('l', 'i', 'm', 'i', 't'):
	case TAP_FP_W5('w', 'h', 'e', 'r', 'e'):
	case TAP_FP_W6('h', 'a', 'v', 'i', 'n', 'g'):
	case TAP_FP_W6('o', 'f', 'f', 's', 'e', 't'):
	case TAP_FP_W6('s', 'e', 'l', 'e', 'c', 't'):
	case TAP_FP_W7('b', 'e', 't', 'w', 'e', 'e', 'n'):
	case TAP_FP_W7('d', 'e', 'f', 'a', 'u', 'l', 't'):
	case TAP_FP_W8('d', 'i', 's', 't', 'i', 'n', 'c', 't'):
	case TAP_FP_W8('m', 'a', 'x', 'v', 'a', 'l', 'u', 'e'):
	case TAP_FP_W8('m', 'i', 'n', 'v', 'a', 'l', 'u', 'e'):
	case TAP_FP_W9('r', 'e', 't', 'u', 'r', 'n', 'i', 'n', 'g'):
		return 1;
	}
	return 0;
}

TAP_FP_INLINE int tap_fp_value_next(const struct tap_fp *fp)
{
	if (fp->signs || fp->before == TAP_FP_B_VALUE_NEXT)
		return 1;
	return fp->before == TAP_FP_B_WORD && tap_fp_opens_value(fp->word);
}

TAP_FP_INLINE int tap_fp_is_constant(__u64 word)
{
	return word == TAP_FP_W4('n', 'u', 'l', 'l') || word == TAP_FP_W4('t', 'r', 'u', 'e') ||
	       word == TAP_FP_W5('f', 'a', 'l', 's', 'e');
}

TAP_FP_INLINE void tap_fp_count(struct tap_fp *fp, __u64 token)
{
	__u64 hash = (fp->hash ^ token) * TAP_FP_HASH_PRIME;

	fp->hash = hash ^ hash >> 32;
	fp->started = 1;
}

/* A token that is no literal of the list, or a literal in no list, comes: what is held before it counts. */
TAP_FP_INLINE __u32 tap_fp_flush(struct tap_fp *fp, int keep_signs)
{
	__u32 did = 0;

	if (fp->semi) {
		fp->semi = 0;
		tap_fp_count(fp, TAP_FP_HASH_OP(';'));
		did |= TAP_FP_SEMI;
	}
	if (fp->list >= TAP_FP_L_FOLDED) {
		tap_fp_count(fp, TAP_FP_HASH_OP(','));
		if (fp->list == TAP_FP_L_FOLDED)
			tap_fp_count(fp, TAP_FP_HASH_LITERAL);
		did |= fp->list == TAP_FP_L_FOLDED ? TAP_FP_LATE : TAP_FP_COMMA;
	}
	if (fp->signs && keep_signs) {
		/* one step of the hash for all of them: a loop of up to 255 is nothing for a BPF program */
		tap_fp_count(fp, TAP_FP_HASH_OP('-') + fp->signs - 1);
		did |= TAP_FP_MINUS;
	}
	fp->signs = 0;
	return did;
}

TAP_FP_INLINE __u32 tap_fp_literal(struct tap_fp *fp, __u32 kind)
{
	int number = kind == TAP_FP_K_NUMBER;
	int pure = number || !fp->signs;
	int in_list = fp->list == TAP_FP_L_COMMA || fp->list == TAP_FP_L_DOTS;
	int before = fp->before;
	__u32 did;

	fp->before = kind == TAP_FP_K_STR ? TAP_FP_B_STR : kind == TAP_FP_K_ESTR ? TAP_FP_B_ESTR : TAP_FP_B_OPERAND;
	if ((kind == TAP_FP_K_STR || kind == TAP_FP_K_ESTR) && before >= TAP_FP_B_STR)
		return TAP_FP_ENDED;
	if (pure && in_list) {
		fp->signs = 0;
		fp->list = TAP_FP_L_FOLDED;
		return TAP_FP_ENDED | TAP_FP_FOLDED;
	}
	did = tap_fp_flush(fp, !number);
	fp->list = pure && fp->list == TAP_FP_L_OPEN ? TAP_FP_L_FIRST : TAP_FP_L_NONE;
	tap_fp_count(fp, TAP_FP_HASH_LITERAL);
	return did | TAP_FP_ENDED | TAP_FP_LITERAL;
}

/* Commas and dots of a list that may fold; 0 when the token is none of them. */
TAP_FP_INLINE int tap_fp_hold(struct tap_fp *fp, __u64 token)
{
	if (fp->signs || fp->list < TAP_FP_L_FIRST)
		return 0;
	if (token == TAP_FP_HASH_BYTE(',') && fp->list != TAP_FP_L_COMMA)
		fp->list = TAP_FP_L_COMMA;
	else if (token == TAP_FP_HASH_BYTE('.') && fp->list >= TAP_FP_L_COMMA)
		fp->list = TAP_FP_L_DOTS;
	else
		return 0;
	fp->before = TAP_FP_B_VALUE_NEXT;
	return 1;
}

/* Ends a statement as the end of the text would: what is held is forgotten. */
TAP_FP_INLINE __u32 tap_fp_semicolon(struct tap_fp *fp)
{
	fp->semi = fp->started;
	fp->signs = 0;
	fp->list = TAP_FP_L_NONE;
	fp->before = TAP_FP_B_VALUE_NEXT;
	return TAP_FP_ENDED;
}

TAP_FP_INLINE __u32 tap_fp_plain(struct tap_fp *fp, __u64 token, __u32 before)
{
	__u32 did = tap_fp_flush(fp, 1);

	fp->list = TAP_FP_L_NONE;
	fp->before = before;
	tap_fp_count(fp, token);
	return did | TAP_FP_ENDED | TAP_FP_TOKEN;
}

TAP_FP_INLINE __u32 tap_fp_punct(struct tap_fp *fp, __u64 token)
{
	int closing = token == TAP_FP_HASH_BYTE(')') || token == TAP_FP_HASH_BYTE(']');
	int opens = fp->before == TAP_FP_B_WORD &&
		    ((token == TAP_FP_HASH_BYTE('(') && fp->word == TAP_FP_W2('i', 'n')) ||
		     (token == TAP_FP_HASH_BYTE('[') && fp->word == TAP_FP_W5('a', 'r', 'r', 'a', 'y')));
	__u32 did;

	if (token == TAP_FP_HASH_BYTE(';'))
		return tap_fp_semicolon(fp);
	if (tap_fp_hold(fp, token))
		return token == TAP_FP_HASH_BYTE('.') ? TAP_FP_ENDED | TAP_FP_FOLDED : TAP_FP_ENDED;
	/* a list that ends as one of literals: what was left out stays out */
	if (closing && !fp->signs && (fp->list == TAP_FP_L_FOLDED || fp->list == TAP_FP_L_DOTS))
		fp->list = TAP_FP_L_NONE;
	did = tap_fp_plain(fp, token + TAP_FP_SALT_OP, closing ? TAP_FP_B_OPERAND : TAP_FP_B_VALUE_NEXT);
	if (opens)
		fp->list = TAP_FP_L_OPEN;
	return did;
}

TAP_FP_INLINE __u32 tap_fp_word(struct tap_fp *fp)
{
	if (tap_fp_is_constant(fp->token) && tap_fp_value_next(fp))
		return tap_fp_literal(fp, TAP_FP_K_WORD);
	fp->word = fp->token;
	return tap_fp_plain(fp, fp->token, TAP_FP_B_WORD);
}

/* A token ended: decide whether it counts, now or later, and let it into the hash. */
TAP_FP_INLINE __u32 tap_fp_close(struct tap_fp *fp, __u32 kind)
{
	__u32 did;

	if (kind == TAP_FP_K_WORD)
		return tap_fp_word(fp);
	if (kind == TAP_FP_K_PUNCT)
		return tap_fp_punct(fp, fp->token);
	if (kind >= TAP_FP_K_STR)
		return tap_fp_literal(fp, kind);
	if (kind == TAP_FP_K_NAME)
		return tap_fp_plain(fp, fp->token, TAP_FP_B_OPERAND);
	if (kind == TAP_FP_K_UAMP) {
		did = tap_fp_plain(fp, TAP_FP_W1('u'), TAP_FP_B_VALUE_NEXT);
		tap_fp_count(fp, TAP_FP_HASH_OP('&'));
		return did;
	}
	if (kind == TAP_FP_K_SIGN && tap_fp_value_next(fp)) {
		fp->signs += fp->signs < 255;
		return TAP_FP_ENDED;
	}
	return tap_fp_plain(fp, fp->token + (kind == TAP_FP_K_OP_NEXT ? TAP_FP_SALT_OP_NEXT : TAP_FP_SALT_OP),
			    TAP_FP_B_VALUE_NEXT);
}

/* What the table cannot know. Returns the cell to go on with. */
TAP_FP_INLINE __u32 tap_fp_decide(struct tap_fp *fp, __u32 class)
{
	switch (fp->state) {
	case TAP_FP_GAP: /* a ' : the string before goes on in its own way */
		return fp->before == TAP_FP_B_ESTR ? TAP_FP_bES : TAP_FP_bST;
	case TAP_FP_WORD:
		if (class == TAP_FP_C_AMP)
			return fp->token == TAP_FP_W1('u') ? TAP_FP_tUA : TAP_FP_nOP;
		if (fp->token == TAP_FP_W1('e'))
			return TAP_FP_tES;
		return fp->token == TAP_FP_W1('b') || fp->token == TAP_FP_W1('n') || fp->token == TAP_FP_W1('x')
			       ? TAP_FP_tST
			       : TAP_FP_nST;
	case TAP_FP_DOLLAR:
	case TAP_FP_TAG:
		fp->tag = fp->token;
		return TAP_FP_tDS;
	case TAP_FP_DSTR:
		return TAP_FP_rDT;
	case TAP_FP_DSTR_TAG:
		return fp->token == fp->tag ? TAP_FP_tDE : TAP_FP_rDT;
	case TAP_FP_COMMENT_STAR:
		if (!fp->depth)
			return TAP_FP_tGA;
		fp->depth--;
		return TAP_FP_tCO;
	default: /* COMMENT_SLASH */
		fp->depth++;
		return TAP_FP_tCO;
	}
}

/* The part of a step that not every byte needs. Returns the cell to go on with. */
TAP_FP_RARE __u32 tap_fp_event(struct tap_fp *fp, __u32 move, __u32 class)
{
	if (!fp) /* never; the verifier asks of a global function */
		return 0;
	if (move & TAP_FP_ASK)
		move = tap_fp_decide(fp, (class & TAP_FP_COLUMN_MASK) >> 1);
	if (move & TAP_FP_LEAVE)
		fp->did = tap_fp_close(fp, tap_fp_tables.kinds[fp->state & (TAP_FP_STATES - 1)]);
	return move & 0xffff;
}

TAP_FP_INLINE __u32 tap_fp_state(__u64 move)
{
	return (move & TAP_FP_ROW_MASK) >> TAP_FP_ROW_SHIFT;
}

TAP_FP_INLINE void tap_fp_advance(struct tap_fp *fp, struct tap_fp_cursor *at, unsigned char byte)
{
	__u64 class = tap_fp_tables.classes[byte];
	const char *row = (const char *)tap_fp_tables.moves + (at->move & TAP_FP_ROW_MASK);
	__u64 move = *(const __u16 *)(row + (class & TAP_FP_COLUMN_MASK));

	if (move & (TAP_FP_ASK | TAP_FP_LEAVE | TAP_FP_MUTE)) {
		fp->token = at->token;
		fp->state = tap_fp_state(at->move);
		at->move = move;
		if (move & TAP_FP_MUTE)
			return;
		move = tap_fp_event(fp, move, class);
	}
	at->token = ((at->token & -(move >> 15)) ^ (byte | (class & move & TAP_FP_FOLD))) * TAP_FP_TOKEN_PRIME;
	at->move = move;
}

TAP_FP_INLINE void tap_fp_init(struct tap_fp *fp)
{
	*fp = (struct tap_fp){ .hash = TAP_FP_SEED };
}

/* One byte. Returns enum tap_fp_did, and TAP_FP_BEGIN. */
TAP_FP_INLINE __u32 tap_fp_step(struct tap_fp *fp, unsigned char byte)
{
	struct tap_fp_cursor at = { fp->token, (__u64)fp->state << TAP_FP_ROW_SHIFT };

	fp->did = 0;
	tap_fp_advance(fp, &at, byte);
	fp->token = at.token;
	fp->state = tap_fp_state(at.move);
	return fp->did | (at.move & TAP_FP_BEGIN);
}

/*
 * `size` bytes, a constant or bounded for the verifier. In a BPF program: bpf_loop over pieces of 32 bytes, the buffer
 * zeroed behind the text; a third faster than a step per byte, which a plain loop of 1024 (150,000 instructions to the
 * verifier) has to take where there is no bpf_loop.
 */
TAP_FP_INLINE void tap_fp_run(struct tap_fp *fp, const unsigned char *bytes, __u32 size)
{
	struct tap_fp_cursor at = { fp->token, (__u64)fp->state << TAP_FP_ROW_SHIFT };
	__u32 i;

	for (i = 0; i < size; i++)
		tap_fp_advance(fp, &at, bytes[i]);
	fp->token = at.token;
	fp->state = tap_fp_state(at.move);
}

/* The id of what was seen; never 0. The text is over then. */
TAP_FP_INLINE __u64 tap_fp_final(struct tap_fp *fp)
{
	__u64 hash;

	tap_fp_step(fp, 0);
	hash = fp->hash;
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdull;
	hash = (hash ^ hash >> 29) * 0xc4ceb9fe1a85ec53ull;
	hash ^= hash >> 32;
	return hash ? hash : 1;
}

#endif
