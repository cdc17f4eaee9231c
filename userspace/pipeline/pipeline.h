/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the phases, as one table: raw records in, outputs out. Phases 2 to 7 and 9 live
 * here, with no clock, file or chance; live daemon, replay, rule tests and simulations all use
 * exactly this. */
#ifndef KM_PIPELINE_H
#define KM_PIPELINE_H

#include "verify/verify.h"

enum km_output_kind {
	KM_OUT_FORECAST = 0,
	KM_OUT_DECISION,
	KM_OUT_VERDICT,
	KM_OUT_EVENT,
	KM_OUT_DEPTH, /* a service is to be looked at closely */
	KM_OUT_KIND_MAX
};

struct km_output {
	enum km_output_kind kind;
	uint64_t t_ns;
	const struct km_service *service; /* may be NULL */
	union {
		const struct km_forecast *forecast;
		const struct km_decision *decision;
		const struct km_verdict *verdict;
		enum km_event event;
		const struct km_depth_ask *depth;
	};
};

struct km_pipeline;

int km_pipeline_new(struct km_pipeline **ret);
struct km_pipeline *km_pipeline_free(struct km_pipeline *p);
KM_DEFINE_FREEP(struct km_pipeline, km_pipeline_free)

/* One raw record. -EBADMSG, -ENOTSUP: counted, skipped, the pipeline goes on. Then take the
 * outputs. */
int km_pipeline_feed(struct km_pipeline *p, const void *raw, size_t len);
/* Next output of what was fed, NULL: none. Valid until the next call. */
const struct km_output *km_pipeline_next(struct km_pipeline *p);
/* One JSON object, no newline: what live and replay both print. */
void km_output_write(const struct km_output *o, struct km_json_writer *w);

/* Everything needed to go on from here, as raw records given to CB in order. */
int km_pipeline_save(const struct km_pipeline *p,
                     int (*cb)(void *userdata, const void *raw, size_t len), void *userdata);

/* Version of the rows: those of another are refused. */
uint32_t km_pipeline_layout(void);
/* Of rows that km_pipeline_save_lasting() made, in whatever version: their table is named by
 * km_table_opts.lasting. Fed with the time at which what they say is to have happened; -ENOTSUP: a
 * table that this version does not have, or has otherwise. */
#define KM_LAYOUT_LASTING 0x80000000U

/* The rows alone: configuration, policy and rules come from elsewhere. */
int km_pipeline_save_rows(const struct km_pipeline *p,
                          int (*cb)(void *userdata, const void *raw, size_t len), void *userdata);

/* Of the rows only what another boot of this host must know, in that boot's time: what may be done
 * no more, and what was done; or what was LEARNT (KM_TABLE_LEARNT). Where there are no rows of the
 * same boot these are fed instead. */
int km_pipeline_save_lasting(const struct km_pipeline *p, bool learnt,
                             int (*cb)(void *userdata, const void *raw, size_t len),
                             void *userdata);

/* Error of the last COMMIT that was refused; NULL: the set in force is the last one given. */
const struct km_error *km_pipeline_refused(const struct km_pipeline *p);

/* As km_matcher_listen(). */
void km_pipeline_listen(struct km_pipeline *p, km_match_ear ear, void *userdata);

/* Somebody else than this pipeline's decisions is about to end the service, on kmend's behalf: for
 * histories in which other rules did. */
void km_pipeline_expect_end(struct km_pipeline *p, uint64_t service_id, uint64_t within_ns);

/* For the report phase. */
const struct km_attribute *km_pipeline_attribute(const struct km_pipeline *p);
const struct km_predict *km_pipeline_predict(const struct km_pipeline *p);
struct km_measure *km_pipeline_measure(struct km_pipeline *p);
const struct km_rules *km_pipeline_rules(const struct km_pipeline *p);
const struct km_policy *km_pipeline_policy(const struct km_pipeline *p);
const struct km_config *km_pipeline_config(const struct km_pipeline *p);
struct km_decide *km_pipeline_decide(struct km_pipeline *p);
uint64_t km_pipeline_now_ns(const struct km_pipeline *p);
uint64_t km_pipeline_realtime_ns(const struct km_pipeline *p, uint64_t t_ns);

#endif
