// SPDX-License-Identifier: Apache-2.0
/* The values of a service that predictors look at: where they stand is looked up once, and again
 * only when rows have come or gone. No state: the same values are found either way. */
#include <math.h>

#include "pipeline/state.h"

/* Where the values of a service that are watched stand: a score of look-ups each second. */
struct places {
	uint64_t service_id;
	uint64_t generation; /* of the table that they stand in */
	const struct km_value *value[KM_W_MAX];
};

int km_places_new(struct km_table **ret)
{
	static const struct km_table_opts opts = {
		.name = "places",
		.rows_max = KM_SERVICES_MAX,
		.row_size = sizeof(struct places),
		.key_size = sizeof(uint64_t),
	};

	return km_table_new(&opts, ret);
}

/* NULL: no memory for it. */
static const struct places *places_of(struct km_pipeline *p, uint64_t service_id)
{
	uint64_t generation = km_measure_values_generation(p->measure);
	struct places *s = NULL;
	int r = km_table_put(p->places, &service_id, &s);

	if (r == -ENOSPC) {
		km_table_clear(p->places); /* of services that are gone */
		r = km_table_put(p->places, &service_id, &s);
	}
	if (r < 0 || s->generation == generation)
		return s;
	s->generation = generation;
	for (int i = 0; i < KM_W_MAX; i++)
		s->value[i] = km_measure_value(p->measure, service_id, km_watched[i]);
	return s;
}

static bool has_series(enum km_sig sig)
{
	return km_catalogue[sig].resource != KM_RESOURCE_NONE;
}

/* Levels with a limit come from their series: taken over at once, the next call overwrites them. */
void km_places_values(struct km_pipeline *p, uint64_t service_id, double ret[KM_W_MAX])
{
	const struct places *s = places_of(p, service_id);

	for (int i = 0; i < KM_W_MAX; i++) {
		const struct km_value *v =
			!s || has_series(km_watched[i])
				? km_measure_value(p->measure, service_id, km_watched[i])
				: s->value[i];

		ret[i] = v && v->measured ? v->value : NAN;
	}
}
