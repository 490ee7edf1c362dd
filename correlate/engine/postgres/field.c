// SPDX-License-Identifier: BSD-2-Clause
/* field.c - the parsers of field.h. */
#include "correlate/engine/postgres/field.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/base/number.h"

bool tap_pg_field_is(const struct tap_pg_value *value, const char *text)
{
	size_t size = strlen(text);

	return value->data && value->size == size && memcmp(value->data, text, size) == 0;
}

bool tap_pg_field_number(const struct tap_pg_value *value, int64_t min, int64_t max, int64_t *ret)
{
	char text[24];

	if (!value->data) {
		*ret = 0;
		return true;
	}
	if (value->size >= sizeof(text) || memchr(value->data, '\0', value->size))
		return false;
	memcpy(text, value->data, value->size);
	text[value->size] = '\0';
	return tap_number_parse_int(text, min, max, ret) == 0;
}

bool tap_pg_field_oid(const struct tap_pg_value *value, uint32_t *ret)
{
	int64_t number;

	if (!tap_pg_field_number(value, 0, UINT32_MAX, &number))
		return false;
	*ret = (uint32_t)number;
	return true;
}

bool tap_pg_field_pid(const struct tap_pg_value *value, int32_t *ret)
{
	int64_t number;

	if (!tap_pg_field_number(value, 0, INT32_MAX, &number))
		return false;
	*ret = (int32_t)number;
	return true;
}

bool tap_pg_field_query_id(const struct tap_pg_value *value, uint64_t *ret)
{
	int64_t number;

	if (!tap_pg_field_number(value, INT64_MIN, INT64_MAX, &number))
		return false;
	*ret = (uint64_t)number;
	return true;
}

int tap_pg_field_string(const struct tap_pg_value *value, char **ret)
{
	char *copy;

	if (!value->data || !value->size || !*value->data)
		return 0;
	copy = strndup(value->data, value->size);
	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

void tap_pg_rows_finish(struct tap_pg_rows *rows, size_t limit, struct tap_pg_rows *ret_rows)
{
	rows->cut |= rows->seen >= limit;
	if (ret_rows)
		*ret_rows = *rows;
}
