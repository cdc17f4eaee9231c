/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of phase 4: rows of its tables. */
#ifndef KM_MEASURE_STATE_H
#define KM_MEASURE_STATE_H

#include "measure/series.h"

enum km_measure_source {
	KM_SOURCE_NONE = 0,
	KM_SOURCE_TASKS = 1, /* summed over the service's processes */
	KM_SOURCE_LEVEL = 2, /* the cgroup's own figure */
	KM_SOURCE_MAX
};

struct km_measure_key {
	uint64_t service_id;
	uint64_t resource;
};

/* A process's descriptors. */
struct km_candidate {
	uint64_t start_ns;
	uint64_t level;
	uint64_t limit; /* KM_UNKNOWN: none */
	uint32_t tgid;  /* 0: nobody yet */
	uint32_t pad;
};

struct km_measure_row {
	struct km_measure_key key;
	uint64_t seen_ns;         /* newest figure, or when the row was made */
	uint64_t tasks_level;     /* this pass, summed */
	uint64_t level;           /* this pass, the cgroup's */
	uint64_t level_limit;     /* KM_UNKNOWN: none */
	uint32_t tasks;           /* processes in the sum */
	uint32_t has_level;       /* 1: level is of this pass */
	uint32_t source;          /* enum km_measure_source of the series */
	uint32_t stale;           /* 1: no figure for too long */
	struct km_candidate best; /* this pass, descriptors only */
	struct km_candidate own;  /* whose the series is; level is of this pass if own_seen */
	uint32_t own_seen;
	uint32_t pad;
	struct km_series series;
};

#define KM_SHARE_KINDS 4 /* of memory: anonymous, file, shared, swapped */
#define KM_SHARE_SCHED 8 /* signals of kmend_sched */

/* What a process had when it was listed last. */
struct km_share {
	uint64_t tgid;
	uint64_t start_ns;
	uint64_t service_id;
	uint64_t kinds[KM_SHARE_KINDS]; /* bytes */
	uint64_t fds_limit;
	struct km_use used; /* since the last pass */
	uint32_t fds;
	uint32_t threads;
	uint32_t has;   /* kmend_task_has bits of what is above */
	uint32_t sched; /* 1: used and what is below was looked at as well */
	uint32_t blocked;
	uint32_t stopped;
	uint32_t zombie;
	uint32_t seen; /* 1: in this pass */
};

struct km_measure {
	struct km_table *rows;
	struct km_table *ends;
	struct km_table *values;
	struct km_table *shares;
	struct km_table *listing;
	struct km_value value;                        /* handed out, not state */
	struct km_features features[KM_RESOURCE_MAX]; /* handed out, not state */
	uint64_t features_of[KM_RESOURCE_MAX];        /* ... as of which change */
	bool features_none[KM_RESOURCE_MAX];          /* ... nothing is known of the pair */
	uint64_t changes;                             /* of any series */
};

/* rows.c */
struct km_measure_row *km_measure_row(const struct km_measure *m, uint64_t service_id,
                                      enum km_resource r);
/* NULL: no room. */
struct km_measure_row *km_measure_make(struct km_measure *m, uint64_t service_id,
                                       enum km_resource r, uint64_t t_ns);
/* One process's part in ROW, which may be NULL. */
void km_measure_add_task(struct km_measure_row *row, uint64_t level);
void km_measure_add_descriptors(struct km_measure_row *row, const struct km_share *s);
int km_measure_level(struct km_measure *m, uint64_t service_id, const struct km_signal *s);
/* What was gathered since the last call goes into the series. */
void km_measure_close(struct km_measure_row *row, uint64_t now_ns);
bool km_measure_row_valid(const void *row);

/* A level with its limit, for the series of R. */
int km_measure_limited(struct km_measure *m, uint64_t service_id, enum km_resource r,
                       const struct km_value *v);

/* shares.c: -ENOSPC: no room. */
int km_shares_new(struct km_measure *m);
/* SERVICE NULL: the process is in none. */
int km_shares_task(struct km_measure *m, const struct km_signal *s,
                   const struct km_service *service);
int km_shares_sched(struct km_measure *m, const struct km_signal *s,
                    const struct km_subject *subject);
/* All processes were listed, or all that ran. */
void km_shares_listed(struct km_measure *m, const struct kmend_listed *l);
/* START_NS 0: whoever has the number. */
void km_shares_gone(struct km_measure *m, uint32_t tgid, uint64_t start_ns);
/* If there was a pass over the tasks: its sums go into rows and values. */
void km_shares_close(struct km_measure *m);

/* values.c */
int km_measure_values_new(struct km_table **ret);
struct km_value *km_measure_value_row(const struct km_measure *m, uint64_t service_id,
                                      enum km_sig sig);
/* NULL: no room. */
struct km_value *km_measure_value_make(struct km_measure *m, uint64_t service_id, enum km_sig sig,
                                       uint64_t t_ns);
/* What S says of SUBJECT's service besides events of its life. -ENOSPC: no room. */
int km_measure_values(struct km_measure *m, const struct km_signal *s,
                      const struct km_subject *subject);
/* What was gathered since the last call becomes values. */
void km_measure_values_close(struct km_measure *m, uint64_t now_ns);

/* ends.c */
int km_measure_end(struct km_measure *m, const struct km_service *s);
void km_measure_forget_ends(struct km_measure *m, uint64_t now_ns);
bool km_measure_ends_valid(const void *row);

#endif
