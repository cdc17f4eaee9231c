// SPDX-License-Identifier: Apache-2.0
/* Sliding windows over the acts of this host, in a ring. */
#include "base/budget.h"

#include "base/text.h"

/* Acts of SERVICE (0: of all) in the PER_NS before NOW_NS. One that seems to come (a clock that was
 * set back) counts. */
static uint32_t in_window(const struct km_budgets *b, uint64_t service, int64_t now_ns,
                          uint64_t per_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->count; i++)
		if ((!service || b->act[i].service == service) &&
		    b->act[i].t_ns > now_ns - (int64_t)per_ns)
			n++;
	return n;
}

const char *km_budget_refuses(const struct km_budgets *b, const struct km_policy *p,
                              const char *service, int64_t now_ns)
{
	const struct km_budget *mine = &p->per_service, *all = &p->per_host;
	uint32_t acts = in_window(b, 0, now_ns, all->per_ns);

	if (in_window(b, km_hash(service, strlen(service)), now_ns, mine->per_ns) >= mine->count)
		return "the service's budget is used up";
	/* A full ring: what it lost may have been in the window. */
	if (acts >= all->count || acts >= KM_BUDGET_ACTS_MAX ||
	    in_window(b, 0, now_ns, mine->per_ns) >= KM_BUDGET_ACTS_MAX)
		return "the host's budget is used up";
	return NULL;
}

void km_budget_charge(struct km_budgets *b, const char *service, int64_t t_ns)
{
	b->act[b->next].service = km_hash(service, strlen(service));
	b->act[b->next].t_ns = t_ns;
	b->next = (b->next + 1) % KM_BUDGET_ACTS_MAX;
	if (b->count < KM_BUDGET_ACTS_MAX)
		b->count++;
}

bool km_budget_said(struct km_budgets *b, const char *kind, int64_t now_ns)
{
	if (in_window(b, km_hash(kind, strlen(kind)), now_ns, KM_SAID_PER_NS) >= KM_SAID_MAX)
		return false;
	km_budget_charge(b, kind, now_ns);
	return true;
}
