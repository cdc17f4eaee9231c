/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the pipeline: shared by its files only. */
#ifndef KM_PIPELINE_STATE_H
#define KM_PIPELINE_STATE_H

#include "pipeline/output.h"
#include "pipeline/pipeline.h"
#include "pipeline/texts.h"

/* Of all phases together; the order is part of a checkpoint's layout. */
#define KM_TABLES_MAX 48
/* Bumped whenever a row of any table changes: an older checkpoint is refused, not misread. */
#define KM_LAYOUT 19

/* The pipeline's own row. */
struct km_pipeline_meta {
	uint64_t key; /* always 1 */
	uint64_t now_ns;
	uint64_t clock_ns;    /* boot time of the last clock record */
	uint64_t realtime_ns; /* wall-clock time then */
	uint64_t lossy_ticks; /* full passes still needed until losses count as reconciled */
	uint64_t fed, bad;
};

struct km_pipeline {
	struct km_attribute *attribute;
	struct km_measure *measure;
	struct km_predict *predict;
	struct km_matcher *matcher;
	struct km_decide *decide;
	struct km_verify *verify;
	struct km_table *places; /* where to find what is in other tables; no state */
	struct km_table *meta_table;
	struct km_pipeline_meta *meta; /* its row */
	struct km_texts coming, texts;
	struct km_set set;
	struct km_outputs outputs;
	struct km_error refused;
	bool is_refused;
	bool running; /* the first record that is no state was fed */
	struct km_table *tables[KM_TABLES_MAX];
	size_t table_count;
};

/* places.c: what is watched of a service, NaN where it is not measured. */
int km_places_new(struct km_table **ret);
void km_places_values(struct km_pipeline *p, uint64_t service_id, double ret[KM_W_MAX]);

/* A row of a checkpoint. */
int km_pipeline_restore(struct km_pipeline *p, const struct km_raw_state *s);

#endif
