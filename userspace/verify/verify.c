/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a look at a repair, settles it as soon as its conditions hold together, at once where they
 * no longer can, and at its end in any case. */
#include <math.h>

#include "verify/internal.h"

static bool look_valid(const void *row)
{
	const struct km_look *l = row;

	return l->decision_id && l->service_id && l->kind <= KM_FORECAST_KIND_MAX &&
	       l->resource <= KM_RESOURCE_MAX && isfinite(l->level_before) &&
	       l->deadline_ns >= l->since_ns && memchr(l->service, 0, sizeof(l->service)) &&
	       memchr(l->rule, 0, sizeof(l->rule)) && memchr(l->endpoint, 0, sizeof(l->endpoint)) &&
	       l->over <= 1;
}

static const struct km_table_opts looks_opts = {
	.name = "verify.look",
	.rows_max = KM_LOOKS_MAX,
	.row_size = sizeof(struct km_look),
	.key_size = sizeof(uint64_t),
	.valid = look_valid,
};

/* The first start of a supervised command: that it is up is all that can be asked. */
static const struct km_verify_spec of_definition = {
	.within_ns = 30 * KM_NS_PER_S,
	.up = true,
	.below_resource = KM_RESOURCE_MAX,
};

struct km_verify *km_verify_free(struct km_verify *v)
{
	if (!v)
		return NULL;
	km_table_free(v->looks);
	free(v->queue);
	free(v);
	return NULL;
}

int km_verify_new(struct km_verify **ret)
{
	km_autofree(km_verify_freep) struct km_verify *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->queue = calloc(KM_VERDICTS_QUEUED_MAX, sizeof(*v->queue));
	if (!v->queue)
		return -ENOMEM;
	r = km_table_new(&looks_opts, &v->looks);
	if (r < 0)
		return r;
	*ret = km_take(v);
	return 0;
}

static uint32_t resource_of(const struct km_decision *d, const struct km_verify_spec *spec)
{
	if (d->has_forecast && d->forecast.resource < KM_RESOURCE_MAX)
		return d->forecast.resource;
	return spec->below_resource >= 0 && spec->below_resource < KM_RESOURCE_MAX
	               ? (uint32_t)spec->below_resource
	               : KM_RESOURCE_MAX;
}

/* Without room the look stays open until there is some. IN NULL: nothing is known of the service.
 */
static void settle(struct km_verify *v, const struct km_look *l, enum km_verdict_kind kind,
                   const char *reason, const struct km_verify_input *in)
{
	const struct km_features *f = in->service ? km_verify_features(l, in, l->resource) : NULL;
	uint64_t key = l->decision_id;
	struct km_verdict *d;

	if (v->queued == KM_VERDICTS_QUEUED_MAX)
		return;
	d = &v->queue[(v->head + v->queued) % KM_VERDICTS_QUEUED_MAX];
	v->queued++;
	memset(d, 0, sizeof(*d));
	d->decision_id = l->decision_id;
	d->incident_id = l->incident_id;
	d->service_id = l->service_id;
	d->rule_key = l->rule_key;
	d->t_ns = in->now_ns;
	d->took_ns = in->now_ns > l->since_ns ? in->now_ns - l->since_ns : 0;
	d->kind = kind;
	d->level_before = l->level_before;
	d->level_after = f && isfinite(f->level) ? f->level : -1;
	km_copy(d->service, sizeof(d->service), l->service);
	km_copy(d->rule, sizeof(d->rule), l->rule);
	km_copy(d->reason, sizeof(d->reason), reason);
	km_table_drop(v->looks, &key);
}

int km_verify_begin(struct km_verify *v, const struct km_decision *d,
                    const struct km_raw_outcome *o, const struct km_rule *rule, double level_before)
{
	const struct km_verify_spec *spec = rule ? &rule->verify : &of_definition;
	struct km_verify_input now = { .now_ns = o->hdr.ktime_ns };
	struct km_look unseen = { .decision_id = d->id }, *l = &unseen;
	int r;

	/* Nothing is to be seen of a notification. */
	if (d->verb == KM_NOTIFY)
		return 0;
	r = km_table_put(v->looks, &d->id, &l);
	if (r < 0 && r != -ENOSPC)
		return r;
	l->incident_id = d->incident_id;
	l->service_id = d->service_id;
	l->rule_key = d->rule_key;
	l->acted_ns = d->t_ns;
	l->since_ns = o->hdr.ktime_ns;
	l->deadline_ns = o->hdr.ktime_ns + spec->within_ns;
	l->level_before = isfinite(level_before) ? level_before : -1;
	l->kind = d->has_forecast ? d->forecast.kind : KM_FORECAST_KIND_MAX;
	l->resource = resource_of(d, spec);
	km_copy(l->service, sizeof(l->service), d->service);
	km_copy(l->rule, sizeof(l->rule), d->rule);
	if (d->verb == KM_FAIL_OVER || d->verb == KM_FAIL_BACK)
		km_copy(l->endpoint, sizeof(l->endpoint), d->args.object);
	l->over = d->verb == KM_FAIL_OVER;
	if (r == -ENOSPC)
		settle(v, l, KM_VERDICT_NOT_MEASURED, "too many repairs are looked at", &now);
	return 0;
}

/* Names of the asked conditions with this truth, or of all, into OUT. Returns how many. */
static unsigned int names(const struct km_verify_asked *a, int truth, char *out, size_t size)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < KM_VERIFY_CONDITIONS; i++) {
		const struct km_condition *c = &km_verify_conditions[i];

		if (!c->asked(a->spec) || (int)c->holds(a) != truth)
			continue;
		if (n++)
			strncat(out, ", ", size - strlen(out) - 1);
		strncat(out, c->name, size - strlen(out) - 1);
	}
	return n;
}

static void look(struct km_verify *v, struct km_look *l, const struct km_verify_spec *spec,
                 const struct km_verify_input *in)
{
	struct km_verify_asked a = { .look = l, .spec = spec, .in = in };
	char held[96] = "held: ", not [96] = "did not hold: ", unknown[96] = "not measured: ";
	unsigned int n_held, n_not, n_unknown;

	if (spec->none) {
		settle(v, l, KM_VERDICT_NOT_MEASURED, "the rule asks for nothing", in);
		return;
	}
	if ((spec->up || spec->no_end) && km_verify_ended(l, in->service)) {
		settle(v, l, KM_DID_NOT_HELP, "it ended again", in);
		return;
	}
	if (km_verify_undone(l, in)) {
		settle(v, l, KM_VERDICT_NOT_MEASURED, "it was undone meanwhile", in);
		return;
	}
	n_held = names(&a, KM_TRUE, held, sizeof(held));
	n_not = names(&a, KM_FALSE, not, sizeof(not ));
	n_unknown = names(&a, KM_NOT_MEASURED, unknown, sizeof(unknown));
	if (n_held && !n_not && !n_unknown)
		settle(v, l, KM_HELPED, held, in);
	else if (in->now_ns >= l->deadline_ns && n_not)
		settle(v, l, KM_DID_NOT_HELP, not, in);
	else if (in->now_ns >= l->deadline_ns || !(n_held + n_not + n_unknown))
		settle(v, l, KM_VERDICT_NOT_MEASURED,
		       n_unknown ? unknown : "the rule asks for nothing", in);
}

int km_verify_service(struct km_verify *v, const struct km_rules *rules,
                      const struct km_verify_input *in)
{
	struct km_verify_input gone = { .now_ns = in->now_ns };
	const struct km_rule *rule;
	struct km_look *l;
	uint32_t slot = 0;

	while ((l = km_table_next(v->looks, &slot))) {
		rule = l->rule_key && rules ? km_rules_get(rules, l->rule_key) : NULL;
		if (in->now_ns > l->deadline_ns + KM_LOOK_GRACE_NS)
			settle(v, l, KM_VERDICT_NOT_MEASURED, "the service is gone", &gone);
		else if (!in->service || l->service_id != in->service->id)
			continue;
		else if (l->rule_key && !rule)
			settle(v, l, KM_VERDICT_NOT_MEASURED, "the rule was removed", in);
		else
			look(v, l, rule ? &rule->verify : &of_definition, in);
	}
	return 0;
}

const struct km_verdict *km_verify_next(struct km_verify *v)
{
	const struct km_verdict *d;

	if (!v->queued)
		return NULL;
	d = &v->queue[v->head];
	v->head = (v->head + 1) % KM_VERDICTS_QUEUED_MAX;
	v->queued--;
	return d;
}

size_t km_verify_tables(struct km_verify *v, struct km_table **ret, size_t max)
{
	if (!max)
		return 0;
	ret[0] = v->looks;
	return 1;
}
