/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/state.h"

/* Where the rows go. */
struct saving {
	struct km_raw_state *raw; /* KM_RAW_MAX */
	int (*cb)(void *userdata, const void *raw, size_t len);
	void *userdata;
	bool lasting; /* only what outlives the boot, as of now_ns */
	uint64_t now_ns;
};

static int save_table(const struct km_pipeline *p, size_t index, const struct saving *s)
{
	const struct km_table *t = p->tables[index];
	const struct km_table_opts *opts = km_table_opts(t);
	struct km_raw_state *raw = s->raw;
	uint32_t slot = 0;
	const void *row;
	int r = 0;

	if (s->lasting && !opts->outlives)
		return 0;
	raw->hdr.size = (uint16_t)(sizeof(*raw) + opts->row_size);
	raw->table = (uint32_t)index;
	raw->row_size = opts->row_size;
	while (r >= 0 && (row = km_table_next(t, &slot))) {
		raw->slot = slot - 1;
		memcpy(raw->row, row, opts->row_size);
		if (!s->lasting || opts->outlives(raw->row, s->now_ns))
			r = s->cb(s->userdata, raw, raw->hdr.size);
	}
	return r;
}

static int save_rows(const struct km_pipeline *p, struct saving *s)
{
	int r = 0;

	s->raw = calloc(1, KM_RAW_MAX);
	if (!s->raw)
		return -ENOMEM;
	s->now_ns = p->meta->now_ns;
	s->raw->hdr =
		(struct kmend_hdr){ .type = KM_RAW_STATE, .ktime_ns = s->lasting ? 0 : s->now_ns };
	s->raw->layout = KM_LAYOUT;
	for (size_t i = 0; i < p->table_count && r >= 0; i++)
		r = save_table(p, i, s);
	free(s->raw);
	return r < 0 ? r : 0;
}

int km_pipeline_save_rows(const struct km_pipeline *p,
                          int (*cb)(void *userdata, const void *raw, size_t len), void *userdata)
{
	struct saving s = { .cb = cb, .userdata = userdata };

	return save_rows(p, &s);
}

int km_pipeline_save_lasting(const struct km_pipeline *p,
                             int (*cb)(void *userdata, const void *raw, size_t len), void *userdata)
{
	struct saving s = { .cb = cb, .userdata = userdata, .lasting = true };

	return save_rows(p, &s);
}

int km_pipeline_save(const struct km_pipeline *p,
                     int (*cb)(void *userdata, const void *raw, size_t len), void *userdata)
{
	int r = km_pipeline_save_rows(p, cb, userdata);

	return r < 0 ? r : km_texts_save(&p->texts, p->meta->now_ns, cb, userdata);
}

uint32_t km_pipeline_layout(void)
{
	return KM_LAYOUT;
}

int km_pipeline_restore(struct km_pipeline *p, const struct km_raw_state *s)
{
	int r;

	if (p->running || s->layout != KM_LAYOUT || s->table >= p->table_count ||
	    s->row_size != km_table_opts(p->tables[s->table])->row_size)
		return -EBADMSG;
	if (p->tables[s->table] == p->meta_table)
		km_table_clear(p->meta_table);
	r = km_table_restore(p->tables[s->table], s->slot, s->row);
	if (p->tables[s->table] == p->meta_table) {
		uint64_t key = 1;

		/* A row that was refused must not leave the pipeline without its own. */
		km_table_put(p->meta_table, &key, &p->meta);
	}
	return r < 0 ? -EBADMSG : 0;
}
