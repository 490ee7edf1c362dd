// SPDX-License-Identifier: BSD-2-Clause
/* number.c - formatting and parsing of number.h, in integer arithmetic so that no locale can change a digit. */
#include "userspace/base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

static const uint64_t powers_of_ten[] = { 1, 10, 100, 1000 };

/* The last unit of a scale has limit UINT64_MAX. */
struct unit {
	uint64_t size;
	uint64_t limit;	  /* in this unit; from here on the next one is used */
	const char *name; /* with the space before it */
};

static const struct unit time_units[] = {
	{ 1, 1000, " ns" },
	{ 1000, 1000, " us" },
	{ 1000000, 1000, " ms" },
	{ 1000000000, 60, " s" },
};

static const struct unit byte_units[] = {
	{ 1, 1024, " B" },
	{ 1ULL << 10, 1024, " KiB" },
	{ 1ULL << 20, 1024, " MiB" },
	{ 1ULL << 30, 1024, " GiB" },
	{ 1ULL << 40, 1024, " TiB" },
	{ 1ULL << 50, 1024, " PiB" },
	{ 1ULL << 60, UINT64_MAX, " EiB" },
};

static const struct unit count_units[] = {
	{ 1000, 1000, " k" },
	{ 1000000, 1000, " M" },
	{ 1000000000, 1000, " G" },
	{ 1000000000000, 1000, " T" },
	{ 1000000000000000, UINT64_MAX, " P" },
};

/* Leaves the minus sign in `text`; the magnitude also of INT64_MIN. */
static uint64_t split_sign(char *text, int64_t value, size_t *ret_used)
{
	*ret_used = value < 0;
	if (value < 0)
		text[0] = '-';
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

/* `scaled` / 10^places, places 0 to 3. */
static void print_fixed(char *text, size_t size, uint64_t scaled, int places, const char *suffix)
{
	char fraction[4] = "";

	for (int i = places; i > 0; i--) {
		fraction[i - 1] = (char)('0' + scaled % 10);
		scaled /= 10;
	}
	snprintf(text, size, "%" PRIu64 "%s%s%s", scaled, places ? "." : "", fraction, suffix);
}

/* False when the value, rounded to this unit, belongs to the next one. */
static bool format_in_unit(char *text, size_t size, uint64_t value, const struct unit *unit)
{
	for (int places = unit->size == 1 ? 0 : 2; places >= 0; places--) {
		uint64_t power = powers_of_ten[places];
		uint64_t scaled = (uint64_t)(((unsigned __int128)value * power + unit->size / 2) / unit->size);

		if (places && scaled >= 1000)
			continue;
		if (scaled / power >= unit->limit)
			return false;
		print_fixed(text, size, scaled, places, unit->name);
		return true;
	}
	return false;
}

static bool format_scaled(char *text, size_t size, uint64_t value, const struct unit *units, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (format_in_unit(text, size, value, &units[i]))
			return true;
	return false;
}

/* From a minute on: rounded to the second, then the two largest units, cut as clocks do. */
static void format_clock(char *text, size_t size, uint64_t ns)
{
	uint64_t seconds = (ns + 500000000) / 1000000000;

	if (seconds < 3600)
		snprintf(text, size, "%" PRIu64 "m%02" PRIu64 "s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		snprintf(text, size, "%" PRIu64 "h%02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(text, size, "%" PRIu64 "d%02" PRIu64 "h", seconds / 86400, seconds / 3600 % 24);
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

char *tap_number_ns(char text[TAP_NUMBER_MAX], int64_t ns)
{
	size_t used;
	uint64_t size = split_sign(text, ns, &used);

	if (size == 0)
		snprintf(text, TAP_NUMBER_MAX, "0");
	else if (!format_scaled(text + used, TAP_NUMBER_MAX - used, size, time_units, COUNT_OF(time_units)))
		format_clock(text + used, TAP_NUMBER_MAX - used, size);
	return text;
}

char *tap_number_bytes(char text[TAP_NUMBER_MAX], int64_t bytes)
{
	size_t used;
	uint64_t size = split_sign(text, bytes, &used);

	if (size == 0)
		snprintf(text, TAP_NUMBER_MAX, "0");
	else
		format_scaled(text + used, TAP_NUMBER_MAX - used, size, byte_units, COUNT_OF(byte_units));
	return text;
}

char *tap_number_count(char text[TAP_NUMBER_MAX], int64_t count)
{
	size_t used;
	uint64_t size = split_sign(text, count, &used);

	if (size < 100000)
		snprintf(text + used, TAP_NUMBER_MAX - used, "%" PRIu64, size);
	else
		format_scaled(text + used, TAP_NUMBER_MAX - used, size, count_units, COUNT_OF(count_units));
	return text;
}

char *tap_number_grouped(char text[TAP_NUMBER_MAX], int64_t count)
{
	char digits[TAP_NUMBER_MAX];
	size_t used, n;

	n = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, split_sign(text, count, &used));
	for (size_t i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

char *tap_number_percent(char text[TAP_NUMBER_MAX], double percent, int decimals)
{
	int places = decimals < 0 ? 0 : decimals > 3 ? 3 : decimals;
	double size = fabs(percent);
	uint64_t scaled;
	bool negative;

	if (!isfinite(percent)) {
		snprintf(text, TAP_NUMBER_MAX, "-");
		return text;
	}
	if (size > 999999999)
		size = 999999999;
	scaled = (uint64_t)(size * (double)powers_of_ten[places] + 0.5);
	negative = percent < 0 && scaled;
	text[0] = '-';
	print_fixed(text + negative, TAP_NUMBER_MAX - negative, scaled, places, "");
	return text;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int tap_number_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = *text == '-', overflow = false;
	int64_t value = 0;

	if (*text == '-' || *text == '+')
		text++;
	if (!is_digit(*text))
		return -EINVAL;
	/* Summed below zero: INT64_MIN has no positive counterpart. */
	for (; is_digit(*text); text++)
		overflow = overflow || __builtin_mul_overflow(value, 10, &value) ||
			   __builtin_sub_overflow(value, *text - '0', &value);
	if (*text)
		return -EINVAL;
	if (!negative)
		overflow = overflow || __builtin_sub_overflow(0, value, &value);
	if (overflow || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int tap_number_parse_decimal(const char *text, double min, double max, double *ret)
{
	bool negative = *text == '-';
	double value = 0, divisor = 1;
	size_t digits = 0;

	if (*text == '-' || *text == '+')
		text++;
	for (; is_digit(*text); text++, digits++)
		value = value * 10 + (*text - '0');
	if (*text == '.') {
		for (text++; is_digit(*text); text++, digits++) {
			/* Past 15 digits a fraction only costs precision. */
			if (divisor >= 1e15)
				continue;
			value = value * 10 + (*text - '0');
			divisor *= 10;
		}
	}
	if (!digits || *text)
		return -EINVAL;
	value = (negative ? -value : value) / divisor;
	if (!(value >= min && value <= max))
		return -ERANGE;
	*ret = value;
	return 0;
}
