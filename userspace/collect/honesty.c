// SPDX-License-Identifier: Apache-2.0
/* Whether what is told can be trusted: a canary through the kernel proves that the way is open,
 * links are looked at and attached again, and what was lost is said. Whoever decides is more
 * careful until it has been made good. */
#include <bpf/bpf.h>

#include "collect/internal.h"

#define CANARY_EVERY_NS (5 * KM_NS_PER_S)
#define CANARY_DEAD_NS  KM_NS_PER_S
/* That an event stands for: as long as it takes to look at everything again. */
#define EVENT_NS (10 * KM_NS_PER_S)

int km_honesty_say(struct km_collect *c, enum km_sig sig, double n)
{
	return km_value_emit(c, &(struct km_said){ .signal = sig,
	                                           .entity = KM_ENTITY_HOST,
	                                           .value = n,
	                                           .period_ns = EVENT_NS });
}

static int say_canary(struct km_collect *c, bool alive)
{
	uint32_t passes = (uint32_t)(CANARY_EVERY_NS / c->period_ns);

	if (!alive)
		km_tasks_doubt(c);
	return km_value_emit(c, &(struct km_said){ .signal = KM_SIG_CANARY,
	                                           .entity = KM_ENTITY_HOST,
	                                           .value = alive,
	                                           .every = passes + 1 });
}

/* A link that ends leaves its program without a hook: nothing more comes, and nothing says so. */
static bool link_stands(const struct km_prog *p)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(p->link_fd, &info, &len) == 0 && info.prog_id != 0;
}

static int mend(struct km_collect *c, int id)
{
	struct km_prog *p = &c->bpf.progs[id];

	km_close(&p->link_fd);
	p->link_fd = km_bpf_attach(&km_prog_defs[id], p->prog_fd);
	if (p->link_fd < 0) {
		p->state = KM_PROG_FAILED;
		km_bpf_reason(p->link_fd, NULL, p->reason, sizeof(p->reason));
		p->link_fd = -1;
		km_sources_update(c);
	} else if (c->bpf.pin_fd >= 0) {
		km_pins_put_link(&c->bpf, id);
	}
	km_tasks_doubt(c);
	return km_honesty_say(c, KM_SIG_LINKS_LOST, 1);
}

static int look_at_links(struct km_collect *c)
{
	int r = 0;

	for (int i = 0; i < KM_PROG_MAX && r == 0; i++) {
		struct km_prog *p = &c->bpf.progs[i];

		if (p->state == KM_PROG_ATTACHED && p->link_fd >= 0 && !link_stands(p))
			r = mend(c, i);
	}
	return r;
}

void km_honesty_seen(struct km_collect *c, const struct kmend_hdr *h)
{
	if (h->type == KMEND_CANARY)
		c->canary_seen_ns = h->ktime_ns;
}

/* One that is not back after a second is not coming. Each is judged once. */
static int judge(struct km_collect *c, uint64_t now)
{
	bool back = c->canary_seen_ns >= c->canary_sent_ns;

	if (c->canary_judged || (!back && now - c->canary_sent_ns < CANARY_DEAD_NS))
		return 0;
	c->canary_judged = true;
	return say_canary(c, back);
}

int km_honesty_step(struct km_collect *c)
{
	uint64_t now = km_now_ns();
	int r = 0;

	if (!km_bpf_works(&c->bpf, KM_PROG_CANARY))
		return 0;
	if (c->canary_sent_ns)
		r = judge(c, now);
	if (r || (c->canary_sent_ns && now - c->canary_sent_ns < CANARY_EVERY_NS))
		return r;
	c->canary_sent_ns = now;
	c->canary_judged = false;
	km_bpf_canary(&c->bpf);
	return look_at_links(c);
}
