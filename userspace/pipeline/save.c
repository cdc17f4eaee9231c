/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/state.h"

/* Where the rows go. */
struct saving {
	struct km_raw_state *raw; /* KM_RAW_MAX */
	int (*cb)(void *userdata, const void *raw, size_t len);
	void *userdata;
	bool lasting; /* only what outlives the boot, as of now_ns */
	bool learnt;  /* ... of these, what was learnt, else the others */
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

	if (s->lasting && (!opts->lasting || (opts->lasting >= KM_TABLE_LEARNT) != s->learnt))
		return 0;
	raw->hdr.size = (uint16_t)(sizeof(*raw) + opts->row_size);
	raw->table = s->lasting ? opts->lasting : (uint32_t)index;
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
	s->raw->layout = s->lasting ? KM_LAYOUT_LASTING : KM_LAYOUT;
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

int km_pipeline_save_lasting(const struct km_pipeline *p, bool learnt,
                             int (*cb)(void *userdata, const void *raw, size_t len), void *userdata)
{
	struct saving s = { .cb = cb, .userdata = userdata, .lasting = true, .learnt = learnt };

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

static struct km_table *find_lasting(const struct km_pipeline *p, uint32_t lasting)
{
	for (size_t i = 0; i < p->table_count && lasting; i++)
		if (km_table_opts(p->tables[i])->lasting == lasting)
			return p->tables[i];
	return NULL;
}

/* What an earlier version knew goes on; what this one does not know any more is left out. */
static int restore_lasting(struct km_pipeline *p, const struct km_raw_state *s)
{
	struct km_table *t = find_lasting(p, s->table);
	const struct km_table_opts *opts = t ? km_table_opts(t) : NULL;
	void *row;
	int r;

	if (!opts || s->row_size != opts->row_size)
		return -ENOTSUP;
	row = malloc(opts->row_size);
	if (!row)
		return -ENOMEM;
	memcpy(row, s->row, opts->row_size);
	if (opts->returns)
		opts->returns(row, s->hdr.ktime_ns);
	r = km_table_restore(t, s->slot, row);
	free(row);
	return r < 0 ? -EBADMSG : 0;
}

static int restore(struct km_pipeline *p, const struct km_raw_state *s)
{
	struct km_table *t;
	uint64_t key = 1;
	int r;

	if (s->layout != KM_LAYOUT || s->table >= p->table_count ||
	    s->row_size != km_table_opts(p->tables[s->table])->row_size)
		return -EBADMSG;
	t = p->tables[s->table];
	if (t == p->meta_table)
		km_table_clear(t);
	r = km_table_restore(t, s->slot, s->row);
	/* A row that was refused must not leave the pipeline without its own. */
	if (t == p->meta_table)
		km_table_put(t, &key, &p->meta);
	return r < 0 ? -EBADMSG : 0;
}

int km_pipeline_restore(struct km_pipeline *p, const struct km_raw_state *s)
{
	if (p->running)
		return -EBADMSG;
	return s->layout == KM_LAYOUT_LASTING ? restore_lasting(p, s) : restore(p, s);
}
