/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/state.h"

static int save_table(const struct km_pipeline *p, size_t index, struct km_raw_state *raw,
                      int (*cb)(void *userdata, const void *raw, size_t len), void *userdata)
{
	const struct km_table *t = p->tables[index];
	uint32_t row_size = km_table_opts(t)->row_size;
	uint32_t slot = 0;
	const void *row;
	int r = 0;

	raw->hdr.size = (uint16_t)(sizeof(*raw) + row_size);
	raw->table = (uint32_t)index;
	raw->row_size = row_size;
	while (r >= 0 && (row = km_table_next(t, &slot))) {
		raw->slot = slot - 1;
		memcpy(raw->row, row, row_size);
		r = cb(userdata, raw, raw->hdr.size);
	}
	return r;
}

int km_pipeline_save_rows(const struct km_pipeline *p,
                          int (*cb)(void *userdata, const void *raw, size_t len), void *userdata)
{
	struct km_raw_state *raw = calloc(1, KM_RAW_MAX);
	int r = 0;

	if (!raw)
		return -ENOMEM;
	raw->hdr = (struct kmend_hdr){ .type = KM_RAW_STATE, .ktime_ns = p->meta->now_ns };
	raw->layout = KM_LAYOUT;
	for (size_t i = 0; i < p->table_count && r >= 0; i++)
		r = save_table(p, i, raw, cb, userdata);
	free(raw);
	return r < 0 ? r : 0;
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
