// SPDX-License-Identifier: Apache-2.0
/* Rows lie in one lazily touched mapping; which slots are taken is a bitmap with a summary (a bit
 * for each full word), so the lowest free slot is found without a scan of the rows. Keys are found
 * by an open-addressing index of (hash, slot) with backward-shift deletion: no tombstones, so a
 * table that lives for months does not slow down. */
#include <sys/mman.h>

#include "base/table.h"

#define INDEX_FIRST 16
#define NO_SLOT     UINT32_MAX

struct entry {
	uint32_t hash;
	uint32_t slot; /* NO_SLOT: empty */
};

struct km_table {
	struct km_table_opts opts;
	unsigned char *rows;
	size_t rows_bytes;
	uint64_t *taken; /* bit per slot */
	uint64_t *full;  /* bit per word of taken that has no free slot */
	uint64_t changes;
	uint32_t count;
	uint32_t top; /* no slot at or past it was ever taken since the last clear */
	struct entry *index;
	uint32_t index_size; /* a power of two, at least twice count */
};

static uint32_t words(uint32_t bits)
{
	return bits / 64 + (bits % 64 ? 1 : 0);
}

static void set_bit(uint64_t *bits, uint32_t i)
{
	bits[i / 64] |= 1ULL << (i % 64);
}

static void clear_bit(uint64_t *bits, uint32_t i)
{
	bits[i / 64] &= ~(1ULL << (i % 64));
}

static bool has_bit(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static struct entry *new_index(uint32_t size)
{
	struct entry *e = malloc(size * sizeof(*e));

	if (e)
		memset(e, 0xff, size * sizeof(*e));
	return e;
}

struct km_table *km_table_free(struct km_table *t)
{
	if (!t)
		return NULL;
	if (t->rows)
		munmap(t->rows, t->rows_bytes);
	free(t->taken);
	free(t->full);
	free(t->index);
	free(t);
	return NULL;
}

static bool opts_fit(const struct km_table_opts *o)
{
	return o->rows_max > 0 && o->rows_max <= KM_TABLE_ROWS_MAX && o->row_size > 0 &&
	       o->row_size % 8 == 0 && o->key_size > 0 && o->key_size % 8 == 0 &&
	       o->key_size <= o->row_size;
}

int km_table_new(const struct km_table_opts *opts, struct km_table **ret)
{
	km_autofree(km_table_freep) struct km_table *t = NULL;
	void *rows;

	if (!opts_fit(opts))
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->opts = *opts;
	t->rows_bytes = (size_t)opts->rows_max * opts->row_size;
	t->taken = calloc(words(opts->rows_max), sizeof(*t->taken));
	t->full = calloc(words(words(opts->rows_max)), sizeof(*t->full));
	t->index = new_index(INDEX_FIRST);
	t->index_size = INDEX_FIRST;
	rows = mmap(NULL, t->rows_bytes, PROT_READ | PROT_WRITE,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (rows != MAP_FAILED)
		t->rows = rows;
	if (!t->rows || !t->taken || !t->full || !t->index)
		return -ENOMEM;
	*ret = km_take(t);
	return 0;
}

const struct km_table_opts *km_table_opts(const struct km_table *t)
{
	return &t->opts;
}

uint32_t km_table_count(const struct km_table *t)
{
	return t->count;
}

uint64_t km_table_generation(const struct km_table *t)
{
	return t->changes + 1;
}

static void *row_at(const struct km_table *t, uint32_t slot)
{
	return t->rows + (size_t)slot * t->opts.row_size;
}

/* Keys are whole 64-bit words; a multiply and a fold for each. Only the index depends on it, never
 * the order of rows. */
static inline uint64_t hash_word(uint64_t h, const void *word)
{
	uint64_t w;

	memcpy(&w, word, sizeof(w));
	h = (h ^ w) * 0xd6e8feb86659fd93ULL;
	return h ^ h >> 32;
}

static inline uint32_t hash_key(const struct km_table *t, const void *key)
{
	const unsigned char *p = key;
	uint64_t h = hash_word(0x9e3779b97f4a7c15ULL, p);

	for (uint32_t i = 8; i < t->opts.key_size; i += 8)
		h = hash_word(h, p + i);
	return (uint32_t)(h ^ h >> 29);
}

/* Keys are a few words: a call costs more than the comparison. */
static inline bool same_key(const char *row, const char *key, uint32_t size)
{
	uint64_t a, b;

	for (uint32_t i = 0; i < size; i += sizeof(a)) {
		memcpy(&a, row + i, sizeof(a));
		memcpy(&b, key + i, sizeof(b));
		if (a != b)
			return false;
	}
	return true;
}

/* Position in the index of KEY, or of the empty entry where the search for it ended. */
static inline uint32_t find(const struct km_table *t, const void *key, uint32_t hash)
{
	uint32_t mask = t->index_size - 1, i = hash & mask;

	for (;; i = (i + 1) & mask) {
		const struct entry *e = &t->index[i];

		if (e->slot == NO_SLOT)
			return i;
		if (e->hash == hash && same_key(row_at(t, e->slot), key, t->opts.key_size))
			return i;
	}
}

/* The way that nearly every record of a stream takes several times. */
void *km_table_get(const struct km_table *t, const void *key)
{
	const struct entry *e = &t->index[find(t, key, hash_key(t, key))];

	return e->slot == NO_SLOT ? NULL : row_at(t, e->slot);
}

static int grow_index(struct km_table *t)
{
	uint32_t size = t->index_size * 2, mask = size - 1, i, to;
	struct entry *bigger;

	if ((uint64_t)(t->count + 1) * 2 <= t->index_size)
		return 0;
	bigger = new_index(size);
	if (!bigger)
		return -ENOMEM;
	for (i = 0; i < t->index_size; i++) {
		if (t->index[i].slot == NO_SLOT)
			continue;
		for (to = t->index[i].hash & mask; bigger[to].slot != NO_SLOT;)
			to = (to + 1) & mask;
		bigger[to] = t->index[i];
	}
	free(t->index);
	t->index = bigger;
	t->index_size = size;
	return 0;
}

/* Only called when there is a free slot. */
static uint32_t lowest_free(const struct km_table *t)
{
	uint32_t i = 0, word;

	while (t->full[i] == UINT64_MAX)
		i++;
	word = i * 64 + __builtin_ctzll(~t->full[i]);
	return word * 64 + __builtin_ctzll(~t->taken[word]);
}

static void take_slot(struct km_table *t, uint32_t slot, uint32_t hash, uint32_t at)
{
	set_bit(t->taken, slot);
	if (t->taken[slot / 64] == UINT64_MAX)
		set_bit(t->full, slot / 64);
	if (slot >= t->top)
		t->top = slot + 1;
	t->index[at].hash = hash;
	t->index[at].slot = slot;
	t->count++;
	t->changes++;
}

int km_table_put(struct km_table *t, const void *key, void *ret)
{
	uint32_t hash = hash_key(t, key), at = find(t, key, hash), slot;
	void *row;
	int r;

	if (t->index[at].slot != NO_SLOT) {
		row = row_at(t, t->index[at].slot);
		memcpy(ret, &row, sizeof(row));
		return 0;
	}
	if (t->count == t->opts.rows_max)
		return -ENOSPC;
	r = grow_index(t);
	if (r < 0)
		return r;
	slot = lowest_free(t);
	row = row_at(t, slot);
	memcpy(row, key, t->opts.key_size);
	memset((char *)row + t->opts.key_size, 0, t->opts.row_size - t->opts.key_size);
	take_slot(t, slot, hash, find(t, key, hash));
	memcpy(ret, &row, sizeof(row));
	return 1;
}

/* Moves later entries of the same run up into the hole, so that no search ends too early. */
static void close_hole(struct km_table *t, uint32_t hole)
{
	uint32_t mask = t->index_size - 1, i = hole;

	for (;;) {
		uint32_t home;

		i = (i + 1) & mask;
		if (t->index[i].slot == NO_SLOT)
			break;
		home = t->index[i].hash & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		t->index[hole] = t->index[i];
		hole = i;
	}
	t->index[hole].slot = NO_SLOT;
}

void km_table_drop(struct km_table *t, const void *key)
{
	uint32_t at = find(t, key, hash_key(t, key)), slot = t->index[at].slot;

	if (slot == NO_SLOT)
		return;
	clear_bit(t->taken, slot);
	clear_bit(t->full, slot / 64);
	close_hole(t, at);
	t->count--;
	t->changes++;
}

void km_table_clear(struct km_table *t)
{
	memset(t->taken, 0, words(t->opts.rows_max) * sizeof(*t->taken));
	memset(t->full, 0, words(words(t->opts.rows_max)) * sizeof(*t->full));
	memset(t->index, 0xff, t->index_size * sizeof(*t->index));
	madvise(t->rows, t->rows_bytes, MADV_DONTNEED);
	t->count = 0;
	t->top = 0;
	t->changes++;
}

void *km_table_next(const struct km_table *t, uint32_t *slot)
{
	uint32_t i = *slot;

	while (i < t->top) {
		uint64_t rest = t->taken[i / 64] >> (i % 64);

		if (rest) {
			i += __builtin_ctzll(rest);
			*slot = i + 1;
			return row_at(t, i);
		}
		i = (i / 64 + 1) * 64;
	}
	*slot = t->opts.rows_max;
	return NULL;
}

int km_table_restore(struct km_table *t, uint32_t slot, const void *row)
{
	uint32_t hash = hash_key(t, row);
	int r;

	if (slot >= t->opts.rows_max || has_bit(t->taken, slot) || km_table_get(t, row))
		return -EINVAL;
	if (t->opts.valid && !t->opts.valid(row))
		return -EINVAL;
	r = grow_index(t);
	if (r < 0)
		return r;
	memcpy(row_at(t, slot), row, t->opts.row_size);
	take_slot(t, slot, hash, find(t, row, hash));
	return 0;
}
