/* SPDX-License-Identifier: Apache-2.0 */
#include "record/chunk.h"

#include <math.h>

#define VARINT_MAX 10 /* bytes of a 64-bit number, 7 bits each */

/* Levels over 2^62 do not occur (bytes, descriptors, tasks); the bound keeps differences exact. */
#define LEVEL_MAX 4611686018427387904.0

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static size_t put_varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		p[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	p[n++] = (uint8_t)v;
	return n;
}

/* Bytes used, 0: cut or too long. */
static size_t get_varint(const uint8_t *p, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t n = 0; n < len && n < VARINT_MAX; n++) {
		if (n == VARINT_MAX - 1 && p[n] > 1)
			return 0;
		v |= (uint64_t)(p[n] & 0x7f) << (7 * n);
		if (!(p[n] & 0x80)) {
			*ret = v;
			return n + 1;
		}
	}
	return 0;
}

static int64_t whole(double v)
{
	if (v < 0)
		return -1;
	return v > LEVEL_MAX ? (int64_t)LEVEL_MAX : (int64_t)llround(v);
}

bool km_chunk_full(const struct km_chunk *c)
{
	uint32_t max = c->full_at ? c->full_at : KM_CHUNK_SAMPLES;

	return c->count >= max || c->len + 2 * VARINT_MAX > sizeof(c->data);
}

static void begin(struct km_chunk *c, uint64_t t_ms, int64_t level, int64_t limit)
{
	c->start_ms = c->last_ms = t_ms;
	c->start_level = c->last_level = level;
	c->limit = limit;
	c->last_step_ms = 0;
	c->count = 1;
	c->len = 0;
}

int km_chunk_add(struct km_chunk *c, uint64_t t_ns, double level, double limit)
{
	uint64_t t_ms = t_ns / KM_NS_PER_MS;
	int64_t step;

	if (!isfinite(level) || level < 0 || isnan(limit))
		return -EINVAL;
	if (!c->count) {
		begin(c, t_ms, whole(level), whole(limit));
		return 0;
	}
	if (t_ms < c->last_ms)
		return -EINVAL;
	if (km_chunk_full(c) || whole(limit) != c->limit)
		return 1;
	step = (int64_t)(t_ms - c->last_ms);
	c->len += put_varint(c->data + c->len, zigzag(step - c->last_step_ms));
	c->len += put_varint(c->data + c->len, zigzag(whole(level) - c->last_level));
	c->last_ms = t_ms;
	c->last_step_ms = step;
	c->last_level = whole(level);
	c->count++;
	return 0;
}

void km_chunk_reset(struct km_chunk *c)
{
	c->count = 0;
	c->len = 0;
	c->full_at = 0;
}

int km_chunk_read(const struct km_chunk_stored *s,
                  int (*cb)(void *userdata, uint64_t t_ms, int64_t level), void *userdata)
{
	uint64_t t = s->start_ms, level = (uint64_t)s->start_level, step = 0;
	size_t at = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		uint64_t dt, dl;
		size_t n;
		int r;

		r = cb(userdata, t, (int64_t)level);
		if (r != 0)
			return r;
		if (i + 1 == s->count)
			break;
		n = get_varint(s->data + at, s->len - at, &dt);
		at += n;
		if (!n || !(n = get_varint(s->data + at, s->len - at, &dl)))
			return -EBADMSG;
		at += n;
		/* Unsigned: a damaged row may wrap, it must not be undefined. */
		step += (uint64_t)unzigzag(dt);
		t += step;
		level += (uint64_t)unzigzag(dl);
	}
	return at == s->len ? 0 : -EBADMSG;
}
