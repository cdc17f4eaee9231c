// SPDX-License-Identifier: Apache-2.0
#include "predict/fuse.h"

#include <math.h>

#include "base/base.h"

const uint32_t km_horizon_min[KM_HORIZONS] = { 15, 30 };

/* A service of which nothing is forecast fails this often within the horizon, as shipped. */
static const double base[KM_HORIZONS] = { 0.0005, 0.001 };

#define MINUTE_NS (60 * KM_NS_PER_S)

static uint16_t to_parts(double p)
{
	return (uint16_t)(fmax(0, fmin(p, 1)) * KM_FUSE_ONE + 0.5);
}

/* As it is kept: what is said and what is learnt from fall into the same bin. */
static double kept(double p)
{
	return (double)to_parts(p) / KM_FUSE_ONE;
}

static void settle_oldest(struct km_fuse *f, struct km_calibration *c)
{
	for (uint32_t h = 0; h < KM_HORIZONS; h++)
		if (f->kept >= km_horizon_min[h])
			km_calibration_learn(c, &f->said[f->kept - km_horizon_min[h]], h, false);
	if (f->kept < KM_FUSE_KEPT)
		return;
	memmove(f->said, f->said + 1, (KM_FUSE_KEPT - 1) * sizeof(f->said[0]));
	f->kept--;
}

static void say(struct km_fuse *f, const struct km_calibration *c,
                const struct km_fuse_voice *voice, uint32_t voices)
{
	double not [KM_HORIZONS], loudest = 0;

	f->kind = KM_FUSE_KINDS - 1;
	for (uint32_t h = 0; h < KM_HORIZONS; h++)
		not [h] = 1 - base[h];
	for (uint32_t i = 0; i < voices; i++) {
		for (uint32_t h = 0; h < KM_HORIZONS; h++)
			not [h] *= 1 - fmax(0, fmin(voice[i].says[h], 1));
		if (voice[i].says[KM_HORIZONS - 1] > loudest) {
			loudest = voice[i].says[KM_HORIZONS - 1];
			f->kind = voice[i].kind;
		}
	}
	for (uint32_t h = 0; h < KM_HORIZONS; h++) {
		double shipped = kept(1 - not [h]);

		f->shipped[h] = (float)shipped;
		f->own[h] = (float)km_calibration_own(c, f->kind, h, shipped);
	}
}

bool km_fuse_due(const struct km_fuse *f, uint64_t t_ns)
{
	return !f->t_ns || t_ns - f->t_ns >= MINUTE_NS;
}

void km_fuse_minute(struct km_fuse *f, struct km_calibration *c, uint64_t t_ns,
                    const struct km_fuse_voice *voice, uint32_t voices)
{
	struct km_fuse_said *said;
	uint64_t minutes = f->t_ns ? (t_ns - f->t_ns) / MINUTE_NS : 1;

	if (!km_fuse_due(f, t_ns))
		return;
	if (minutes > KM_FUSE_KEPT)
		f->kept = 0; /* nobody looked: what came of it is not known */
	/* A minute that was left out was like the one before. */
	for (uint64_t i = 1; i < minutes && f->kept; i++) {
		struct km_fuse_said same = f->said[f->kept - 1];

		settle_oldest(f, c);
		f->said[f->kept++] = same;
	}
	settle_oldest(f, c);
	say(f, c, voice, voices);
	said = &f->said[f->kept++];
	*said = (struct km_fuse_said){ .kind = (uint16_t)f->kind };
	for (uint32_t h = 0; h < KM_HORIZONS; h++) {
		said->shipped[h] = to_parts((double)f->shipped[h]);
		said->own[h] = to_parts((double)f->own[h]);
	}
	f->t_ns = t_ns;
}

void km_fuse_failed(struct km_fuse *f, struct km_calibration *c)
{
	for (uint32_t h = 0; h < KM_HORIZONS; h++) {
		uint32_t reach = f->kept < km_horizon_min[h] ? f->kept : km_horizon_min[h];

		for (uint32_t i = f->kept - reach; i < f->kept; i++)
			km_calibration_learn(c, &f->said[i], h, true);
	}
	c->failures++;
	km_fuse_forget(f);
}

void km_fuse_forget(struct km_fuse *f)
{
	*f = (struct km_fuse){ 0 };
}

double km_fuse_p(const struct km_fuse *f, const struct km_calibration *c, uint32_t horizon)
{
	return (double)(c->in_use ? f->own[horizon] : f->shipped[horizon]);
}

double km_fuse_p_to_act(const struct km_fuse *f, const struct km_calibration *c, uint32_t horizon)
{
	return fmin(km_fuse_p(f, c, horizon), (double)f->shipped[horizon]);
}

bool km_fuse_valid(const struct km_fuse *f)
{
	for (uint32_t h = 0; h < KM_HORIZONS; h++)
		if (!(f->shipped[h] >= 0 && f->shipped[h] <= 1 && f->own[h] >= 0 && f->own[h] <= 1))
			return false;
	if (f->kept > KM_FUSE_KEPT || f->kind >= KM_FUSE_KINDS)
		return false;
	for (uint32_t i = 0; i < f->kept; i++)
		if (f->said[i].kind >= KM_FUSE_KINDS)
			return false;
	return true;
}
