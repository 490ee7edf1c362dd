// SPDX-License-Identifier: BSD-2-Clause
/* field.c - one field of an answer. See field.h. */
#include "correlate/engine/mysql/field.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/base/number.h"

enum {
	DIGITS_MAX = 20,
};

bool tap_my_field_is(const struct tap_my_value *value, const char *text)
{
	return value->data && value->size == strlen(text) && !memcmp(value->data, text, value->size);
}

bool tap_my_field_number(const struct tap_my_value *value, int64_t min, int64_t max, int64_t *ret)
{
	char digits[DIGITS_MAX + 1];

	if (!value->data) {
		*ret = 0;
		return true;
	}
	if (!value->size || value->size > DIGITS_MAX || memchr(value->data, '\0', value->size))
		return false;
	memcpy(digits, value->data, value->size);
	digits[value->size] = '\0';
	return !tap_number_parse_int(digits, min, max, ret);
}

int tap_my_field_string(const struct tap_my_value *value, char **ret)
{
	size_t size = value->data ? strnlen(value->data, value->size) : 0;
	char *copy;

	if (!size)
		return 0;
	copy = strndup(value->data, size);
	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}
