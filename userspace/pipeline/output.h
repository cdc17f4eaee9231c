/* SPDX-License-Identifier: Apache-2.0 */
/* What one feed put out, as values in order. */
#ifndef KM_OUTPUT_H
#define KM_OUTPUT_H

#include "pipeline/pipeline.h"

/* One feed: a tick over all services, each with a few forecasts and decisions. More are counted. */
#define KM_OUTPUTS_MAX (8 * KM_SERVICES_MAX)

struct km_outputs {
	struct km_output_value *item; /* owned */
	size_t count, size, taken;
	uint64_t dropped;
};

/* A km_output and the storage its pointer points into. */
struct km_output_value {
	struct km_output out;
	struct km_service service;
	union {
		struct km_forecast forecast;
		struct km_decision decision;
		struct km_verdict verdict;
		struct km_depth_ask depth;
	};
};

void km_outputs_clear(struct km_outputs *o);
void km_outputs_free(struct km_outputs *o);
/* Copies what OUT points at. -ENOSPC (counted) or -ENOMEM. */
int km_outputs_add(struct km_outputs *o, const struct km_output *out);
const struct km_output *km_outputs_take(struct km_outputs *o);

#endif
