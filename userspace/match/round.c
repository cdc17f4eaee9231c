// SPDX-License-Identifier: Apache-2.0
/* All rules on one service. Asked are only those that the index finds, and those of which something
 * is kept, so that a tick costs what there is to say and not what there are rules. Asking each
 * (tests do, by listening) gives the same answers and leaves the same rows. */
#include "match/matcher.h"

static size_t words(const struct km_rules *r)
{
	return (r->count + 63) / 64;
}

/* A row of ROUNDS: the service, a bit for each rule that covers it, and one for each of which
 * something may be kept. At most 2 KiB. */
static int new_rounds(const struct km_rules *r, struct km_table **ret)
{
	const struct km_table_opts opts = {
		.name = "match-rounds",
		.rows_max = KM_SERVICES_MAX,
		.row_size = (uint32_t)((1 + 2 * words(r)) * sizeof(uint64_t)),
		.key_size = sizeof(uint64_t),
	};

	return km_table_new(&opts, ret);
}

void km_round_forget(struct km_matcher *m)
{
	for (unsigned int i = 0; i < KM_ENTITY_MAX; i++)
		m->index[i] = km_index_free(m->index[i]);
	m->rounds = km_table_free(m->rounds);
}

void km_matcher_rules_changed(struct km_matcher *m, const struct km_rules *r)
{
	int k = 0;

	km_memory_rules_changed(&m->memory, r);
	m->rules = r;
	km_round_forget(m);
	for (unsigned int i = 0; i < KM_ENTITY_MAX && k == 0; i++)
		k = km_index_new(r, (enum km_entity)i, &m->index[i]);
	if (k == 0)
		k = new_rounds(r, &m->rounds);
	if (k < 0)
		km_round_forget(m);
}

/* The service's row, or NULL: no room. One that is new has everything still to be looked at. */
static uint64_t *round_of(struct km_matcher *m, const struct km_match_input *in)
{
	size_t n = words(m->rules);
	uint64_t *row = NULL;
	int r;

	if (!m->rounds || m->ear)
		return NULL;
	r = km_table_put(m->rounds, &in->service->id, &row);
	if (r == -ENOSPC) {
		/* services come and go: begin anew with those that are there */
		km_table_clear(m->rounds);
		r = km_table_put(m->rounds, &in->service->id, &row);
	}
	if (r <= 0)
		return row;
	for (size_t i = 0; i < m->rules->count; i++)
		if (km_rule_covers(m->rules->rule[i], in->service, in->def))
			row[1 + i / 64] |= 1ULL << (i % 64);
	memset(&row[1 + n], 0xff, n * sizeof(*row));
	return row;
}

/* The round's rules one after the other. */
struct round {
	struct km_matcher *m;
	const struct km_match_input *in;
	km_match_cb cb;
	void *userdata;
};

/* 1 if anything is kept of it. */
static int take_turn(const struct round *round, size_t i)
{
	const struct km_rule *rule = round->m->rules->rule[i];
	struct km_match match;
	bool keeps = km_matcher_ask(round->m, rule, round->in, &match);
	int r = round->cb(round->userdata, &match);

	return r < 0 ? r : r || keeps;
}

static int whole_round(const struct round *round)
{
	const struct km_rules *rules = round->m->rules;
	int r = 0;

	for (size_t i = 0; i < rules->count && r >= 0; i++)
		if (km_rule_covers(rules->rule[i], round->in->service, round->in->def))
			r = take_turn(round, i);
	return r < 0 ? r : 0;
}

/* Rules I * 64 and so on, as far as they are in ASKED. */
static int short_round(const struct round *round, size_t i, uint64_t asked, uint64_t *kept)
{
	for (; asked; asked &= asked - 1) {
		unsigned int bit = (unsigned int)__builtin_ctzll(asked);
		int r = take_turn(round, i * 64 + bit);

		if (r < 0)
			return r;
		*kept = (*kept & ~(1ULL << bit)) | (uint64_t)r << bit;
	}
	return 0;
}

int km_matcher_service(struct km_matcher *m, const struct km_match_input *in, km_match_cb cb,
                       void *userdata)
{
	const struct round round = { m, in, cb, userdata };
	uint64_t may[KM_RULES_MAX / 64] = { 0 }, *row = round_of(m, in);
	size_t n = words(m->rules);
	int r = 0;

	if (!row)
		return whole_round(&round);
	km_index_mark(m->index[km_service_entity(in->service)], in, may);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = short_round(&round, i, row[1 + i] & (may[i] | row[1 + n + i]), &row[1 + n + i]);
	return r;
}
