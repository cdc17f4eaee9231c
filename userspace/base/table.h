/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded table of fixed-size rows whose first key_size bytes are the key.
 *
 * Every state of phases 3 to 7 and 9 lives in such tables, so that one mechanism saves and
 * restores all of it (trace checkpoints, state across restarts). A new row takes the lowest free
 * slot and iteration goes by slot, so the order depends only on the history of puts and drops and
 * survives a save. Rows hold no pointers, and refer to each other by key, never by slot. Memory
 * for rows is touched only when used. Row addresses are stable until the row is dropped. */
#ifndef KM_TABLE_H
#define KM_TABLE_H

#include "base/base.h"

struct km_table;

/* Keeps every index computation within 32 bits; the largest table in use has KM_PROCESSES_MAX. */
#define KM_TABLE_ROWS_MAX (1U << 24)

#define KM_TABLE_LEARNT   32

struct km_table_opts {
	const char *name; /* static; for messages and checkpoints */
	uint32_t rows_max;
	uint32_t row_size; /* multiple of 8 */
	uint32_t key_size; /* multiple of 8, at most row_size */
	/* NULL, or false if a restored row must be refused: the trust boundary for checkpoints. */
	bool (*valid)(const void *row);
	/* 0: its rows end with the boot, or with this version of kmendd. Else the number by which
	 * what outlives them is known to later versions: never used again, another one whenever the
	 * row changes its meaning. From KM_TABLE_LEARNT on: it is large, changes all the time, and
	 * to lose an hour of it harms nobody. */
	uint32_t lasting;
	/* Makes of a row of NOW_NS what must be known afterwards, without times; false: nothing. */
	bool (*outlives)(void *row, uint64_t now_ns);
	/* ... and of that a row of NOW_NS again; NULL: it has no times. */
	void (*returns)(void *row, uint64_t now_ns);
};

/* -EINVAL: the options break a rule above. */
int km_table_new(const struct km_table_opts *opts, struct km_table **ret);
struct km_table *km_table_free(struct km_table *t);
KM_DEFINE_FREEP(struct km_table, km_table_free)

const struct km_table_opts *km_table_opts(const struct km_table *t);
uint32_t km_table_count(const struct km_table *t);
/* Another number whenever a row has come or gone: until then a row that was looked up is where it
 * was, and one that was missing still is. Never 0. */
uint64_t km_table_generation(const struct km_table *t);
/* NULL if there is no such row. */
void *km_table_get(const struct km_table *t, const void *key);
/* *RET: the row with this key; 1 if it is new (all but the key zeroed), 0 if it was there;
 * -ENOSPC when full (counted by the caller), *RET untouched. */
int km_table_put(struct km_table *t, const void *key, void *ret);
void km_table_drop(struct km_table *t, const void *key);
void km_table_clear(struct km_table *t);
/* First row at *SLOT or later, NULL at the end; *SLOT becomes the one behind it. Start with 0. The
 * row returned may be dropped while iterating. */
void *km_table_next(const struct km_table *t, uint32_t *slot);
/* Restores ROW (row_size bytes) at SLOT: -EINVAL if valid() refuses it, slot out of range or taken,
 * or key present. */
int km_table_restore(struct km_table *t, uint32_t slot, const void *row);

#endif
