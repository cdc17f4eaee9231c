/* SPDX-License-Identifier: Apache-2.0 */
/* What a matcher remembers between two looks: since when a condition with 'for' holds, and the
 * events that a condition with 'count' has seen. Nothing outside this folder includes it. */
#ifndef KM_MEMORY_H
#define KM_MEMORY_H

#include "match/match.h"

/* KM_PART_LATCH more: that a level with hysteresis is past its bound. */
enum km_memory_part { KM_PART_WHEN = 0, KM_PART_UNLESS = 1, KM_PART_LATCH = 2, KM_PART_MAX = 4 };

/* Whose memory it is: one condition of one rule on one service. */
struct km_memory_key {
	uint64_t rule_key;
	uint64_t service_id;
	uint32_t part; /* enum km_memory_part */
	uint32_t cond; /* index in the tree */
};

struct km_memory {
	struct km_table *since, *windows, *tally;
};

/* What each call below is about. */
struct km_memory_at {
	struct km_memory_key key;
	uint64_t text; /* km_memory_text() of the rule */
	uint64_t now_ns;
};

/* A rule that was edited is another one under the same id: its conditions have other indices. */
uint64_t km_memory_text(const struct km_rule *rule);

int km_memory_init(struct km_memory *m); /* on failure km_memory_done() is still due */
void km_memory_done(struct km_memory *m);

/* The condition holds now: 1 if it has for FOR_NS without a break, else 0; -ENOSPC. */
int km_memory_holds(struct km_memory *m, const struct km_memory_at *at, uint64_t for_ns);
/* There is a row, whatever it says. */
bool km_memory_has(const struct km_memory *m, const struct km_memory_at *at);
/* It held at the last look, which was not too long ago. */
bool km_memory_latched(const struct km_memory *m, const struct km_memory_at *at);
/* It does not hold now: a break. */
void km_memory_breaks(struct km_memory *m, const struct km_memory_at *at);
/* Its event happened now: how many within the last WITHIN_NS, this one included, at most
 * KM_EVENTS_MAX; -ENOSPC. */
int km_memory_counts(struct km_memory *m, const struct km_memory_at *at, uint64_t within_ns);
/* How often one of the two above found its table full. */
uint64_t km_memory_full(const struct km_memory *m);
/* Drops what is kept of rules that are no longer in R as they were. */
void km_memory_rules_changed(struct km_memory *m, const struct km_rules *r);

#endif
