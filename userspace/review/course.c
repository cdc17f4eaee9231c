// SPDX-License-Identifier: Apache-2.0
#include "review/course.h"

#include "base/json.h"
#include "base/text.h"

/* Levels are doubles on the way: exact up to here. */
#define VALUE_MAX (1ULL << 53)

/* Digits behind the point, three at most, as thousandths; *P is behind them. */
static int fraction(const char **p, uint64_t *ret)
{
	uint64_t scale = 1000;

	*ret = 0;
	if (**p != '.')
		return 0;
	for (++*p; **p >= '0' && **p <= '9' && scale > 1; ++*p) {
		scale /= 10;
		*ret += (uint64_t)(**p - '0') * scale;
	}
	return scale == 1000 ? -EINVAL : 0;
}

int km_course_value(const char *s, double *ret, bool *ret_share)
{
	const char *end = s;
	uint64_t v, thousandths;
	double value;

	if (km_text_u64(&end, &v) < 0 || fraction(&end, &thousandths) < 0)
		return -EINVAL;
	value = (double)v + (double)thousandths / 1000;
	if (*end && strcmp(end, "%") != 0) {
		if (km_parse_bytes(s, &v) < 0)
			return -EINVAL;
		value = (double)v;
	}
	*ret_share = strcmp(end, "%") == 0;
	if (v > VALUE_MAX || (*ret_share && value > 100))
		return -EINVAL;
	*ret = *ret_share ? value / 100 : value;
	return 0;
}

/* Cuts the next word off *P. */
static const char *word(char **p)
{
	char *w = strsep(p, " ");

	return w ? w : "";
}

int km_course_piece(const char *s, struct km_piece *ret)
{
	struct km_piece piece = { .kind = KM_PIECE_HOLD };
	char text[128], *p = text;
	const char *w, *joint = "for";

	if (!km_copy(text, sizeof(text), s))
		return -EINVAL;
	w = word(&p);
	if (!strcmp(w, "none")) {
		piece.kind = KM_PIECE_NONE;
	} else if (!strcmp(w, "to")) {
		piece.kind = KM_PIECE_LINE;
		joint = "in";
		w = word(&p);
	}
	if (piece.kind != KM_PIECE_NONE && km_course_value(w, &piece.value, &piece.share) < 0)
		return -EINVAL;
	if (strcmp(word(&p), joint) != 0 || km_parse_duration(word(&p), &piece.long_ns) < 0 || p)
		return -EINVAL;
	*ret = piece;
	return 0;
}

static uint64_t once_ns(const struct km_course *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->count; i++)
		if (__builtin_add_overflow(sum, c->piece[i].long_ns, &sum))
			return UINT64_MAX;
	return sum;
}

uint64_t km_course_long_ns(const struct km_course *c)
{
	uint64_t sum;

	if (__builtin_mul_overflow(once_ns(c), c->repeat, &sum) ||
	    __builtin_add_overflow(sum, c->begin_ns, &sum))
		return UINT64_MAX;
	return sum;
}

static double value_of(const struct km_course *c, const struct km_piece *p)
{
	return p->share ? p->value * (double)c->limit : p->value;
}

/* Where piece I begins: the level before it, which is the last one's where the list begins anew. */
static double before(const struct km_course *c, size_t i, bool again)
{
	size_t n = i;

	while (n-- > 0)
		if (c->piece[n].kind != KM_PIECE_NONE)
			return value_of(c, &c->piece[n]);
	for (n = c->count; again && n-- > i;)
		if (c->piece[n].kind != KM_PIECE_NONE)
			return value_of(c, &c->piece[n]);
	return 0;
}

/* Steele, Lea, Flood (2014): SplitMix64, of place I in the sequence of SEED. */
static uint64_t mixed(uint64_t seed, uint64_t i)
{
	uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static double noisy(const struct km_course *c, uint64_t t_ns, double level)
{
	double up = (double)(mixed(c->seed, t_ns) >> 11) / (double)(1ULL << 53);

	level += (2 * up - 1) * c->noise;
	return level < 0 ? 0 : level;
}

int km_course_at(const struct km_course *c, uint64_t t_ns, double *ret)
{
	uint64_t once = once_ns(c), at, round;
	const struct km_piece *p;
	double level, from;
	size_t i = 0;

	if (t_ns < c->begin_ns || !c->count)
		return 0;
	at = t_ns - c->begin_ns;
	if (!once || at / once >= c->repeat) {
		p = &c->piece[c->count - 1];
		*ret = noisy(c, t_ns, value_of(c, p));
		return p->kind != KM_PIECE_NONE;
	}
	round = at / once;
	at %= once;
	for (; at >= c->piece[i].long_ns; i++)
		at -= c->piece[i].long_ns;
	p = &c->piece[i];
	if (p->kind == KM_PIECE_NONE)
		return 0;
	level = value_of(c, p);
	if (p->kind == KM_PIECE_LINE) {
		from = before(c, i, round > 0);
		level = from + (level - from) * ((double)at / (double)p->long_ns);
	}
	*ret = noisy(c, t_ns, level);
	return 1;
}
