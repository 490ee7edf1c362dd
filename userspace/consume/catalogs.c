// SPDX-License-Identifier: BSD-2-Clause
/* catalogs.c - what objects.c does for one instance, for all of them. */
#include "userspace/consume/catalogs.h"

#include <errno.h>
#include <stdlib.h>

#include "userspace/base/clock.h"

int tap_instances_roots(const struct tap_instances *instances, struct tap_file_root **ret, size_t *ret_count)
{
	struct tap_file_root *roots;
	size_t count = 0;

	for (size_t i = 0; i < instances->count; i++)
		count += instances->items[i].files.places.count;
	roots = calloc(count + 1, sizeof(*roots));
	if (!roots)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < instances->count; i++) {
		const struct tap_places *places = &instances->items[i].files.places;

		for (size_t j = 0; j < places->count; j++)
			roots[count++] = places->items[j].root;
	}
	*ret = roots;
	*ret_count = count;
	return 0;
}

int tap_instances_refresh_files(struct tap_instances *instances, struct tap_tracer *tracer, struct tap_error *err)
{
	for (size_t i = 0; i < instances->count; i++) {
		struct tap_followed *followed = &instances->items[i];

		if (!followed->alive || !tap_instance_files_changed(&followed->files, &followed->target))
			continue;
		if (tap_instance_files_find(&followed->files, &tap_host_roots, (uint32_t)i, &followed->target))
			return tap_error_set(err, -ENOMEM, "out of memory");
		tap_instance_files_watch(&followed->files, tracer, &instances->disks);
	}
	return 0;
}

static struct tap_instance_files *files_of(void *context, uint32_t instance)
{
	struct tap_instances *instances = context;

	return instance < instances->count ? &instances->items[instance].files : NULL;
}

static void read_catalogs_of(const struct tap_instances *instances, struct tap_followed *followed,
			     const struct tap_asking *asking)
{
	const struct tap_live_options *options = instances->options;
	const struct tap_catalog catalog = {
		.target = &followed->target,
		.conninfo = tap_dsn_find(options->dsns, options->n_dsns, followed->target.id),
		.conn = followed->conn,
		.why_not = followed->why_not,
	};

	tap_instance_files_learn(&followed->files, &catalog, asking);
}

int tap_instances_read_catalogs(struct tap_instances *instances, const struct tap_io_set *io,
				const struct tap_asking *asking)
{
	int64_t until_ms = tap_clock_ms() + asking->budget_ms;
	struct tap_file_root *roots = NULL;
	size_t n_roots = 0;
	int status = tap_instances_roots(instances, &roots, &n_roots);

	if (!status)
		status = tap_files_want(io, roots, n_roots, files_of, instances);
	free(roots);
	for (size_t i = 0; i < instances->count && !status; i++) {
		const struct tap_asking rest = { until_ms - tap_clock_ms(), asking->ahead_ms };

		if (instances->items[i].alive && rest.budget_ms > 0)
			read_catalogs_of(instances, &instances->items[i], &rest);
	}
	return status;
}
