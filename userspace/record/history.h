/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite (WAL) history: what was seen, forecast, decided, done and learnt. Samples in chunks (one
 * row holds up to 120 of one series), everything else a row each. Written in one transaction a
 * pass. A database that is damaged is set aside as history.db.damaged-N and a new one begun; one
 * that cannot be written sets `broken` and kmend observes only. */
#ifndef KM_HISTORY_H
#define KM_HISTORY_H

#include "verify/verify.h"

struct km_history; /* everywhere below NULL stands for none: nothing is kept, nothing known */

/* DIR must be writable for the caller's user. Only -ENOMEM and -ENAMETOOLONG fail: a database that
 * cannot be used is a handle in trouble. *RET the caller's. */
int km_history_open(const char *dir, struct km_history **ret);
/* The same below an open directory, which may lie below one that the caller's user cannot enter.
 * DIR_FD stays the caller's and may be closed. */
int km_history_open_at(int dir_fd, struct km_history **ret);
struct km_history *km_history_close(struct km_history *h);
KM_DEFINE_FREEP(struct km_history, km_history_close)

/* Text for the operator if history is not whole: set aside, full, read-only; NULL: all is well.
 * While nothing can be written, the calls below count and drop, and return 0; it is tried again
 * once a minute. */
const char *km_history_trouble(const struct km_history *h);
/* Rows that could not be written since the start. */
uint64_t km_history_lost(const struct km_history *h);

/* TEXT: the output as the pipeline printed it (one JSON object). */
int km_history_decision(struct km_history *h, const struct km_decision *d, const char *text,
                        uint64_t realtime_ns);
/* Highest decision id ever kept, 0 if none. */
uint64_t km_history_last_id(struct km_history *h);
int km_history_outcome(struct km_history *h, const struct km_raw_outcome *o, uint64_t realtime_ns);
int km_history_verdict(struct km_history *h, const struct km_verdict *v, const char *text,
                       uint64_t realtime_ns);
int km_history_forecast(struct km_history *h, const struct km_forecast *f, const char *service,
                        uint64_t realtime_ns);
/* A service was down between these two moments, and nobody had asked for it. */
int km_history_down(struct km_history *h, const char *service, uint64_t from_ns,
                    uint64_t realtime_ns);
/* A denied request on the control socket, or another thing worth keeping for an audit. At most
 * KM_HISTORY_AUDITS a pass, so that a flood of denials cannot fill the disk; the rest counts as
 * lost. */
#define KM_HISTORY_AUDITS 16
int km_history_audit(struct km_history *h, const char *what, uint32_t uid, uint32_t tgid,
                     uint64_t realtime_ns);
/* -EINVAL: time goes back or LEVEL is not finite. LIMIT < 0: none. Levels are whole units. */
int km_history_sample(struct km_history *h, uint64_t service_id, const char *service,
                      enum km_resource r, uint64_t t_ns, double level, double limit);
/* A signal that belongs to an incident's evidence, as JSON. */
int km_history_evidence(struct km_history *h, uint64_t incident_id, uint64_t t_ns,
                        const char *text);
/* End of a pass: commits; old rows go away. */
int km_history_commit(struct km_history *h, uint64_t now_ns, uint64_t realtime_ns,
                      uint64_t keep_days);

/* Queries for the report phase: each writes members or an array into W. LIMIT rows at most, newest
 * first. */
struct km_history_filter {
	uint64_t incident_id; /* 0: any */
	uint64_t decision_id;
	const char *service; /* NULL: any */
	uint64_t limit;      /* 0: 100, at most KM_HISTORY_ROWS */
};
#define KM_HISTORY_ROWS 1000 /* with texts of about 500 bytes an answer stays below 1 MiB */
int km_history_actions(struct km_history *h, const struct km_history_filter *f,
                       struct km_json_writer *w);
int km_history_incidents(struct km_history *h, const struct km_history_filter *f,
                         struct km_json_writer *w);
/* The whole chain of one incident: evidence, forecasts, decisions, outcomes, verdicts, in time
 * order, as one object. -ENOENT: not known, nothing is written. */
int km_history_incident(struct km_history *h, uint64_t incident_id, struct km_json_writer *w);
/* The newest samples of one series, oldest first: [[realtime_ms, level], ...]. */
int km_history_samples(struct km_history *h, uint64_t service_id, enum km_resource r,
                       uint64_t limit, struct km_json_writer *w);
/* Of each rule, or of RULE: how often it said what, what verification said of its acts, when it
 * last spoke, and the mean times from the incident's begin to its act and on to "helped". */
int km_history_rules(struct km_history *h, const char *rule, struct km_json_writer *w);
/* Failures that each rule, or RULE, spoke about, by service: how many, how many it acted on, mean
 * times to its first decision, and of being down, with an act of it and without; null where there
 * were too few. */
int km_history_failures(struct km_history *h, const char *rule, struct km_json_writer *w);
/* By which guards RULE was refused, and how often: [{guard, count}, ...], most often first. */
int km_history_refusals(struct km_history *h, const char *rule, struct km_json_writer *w);
int km_history_audits(struct km_history *h, uint64_t limit, struct km_json_writer *w);

#endif
