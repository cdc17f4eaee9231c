// SPDX-License-Identifier: Apache-2.0
#include "review/score.h"

/* The same alarm still: what was said is not said again until so much later. */
#define QUIET_NS (600 * KM_NS_PER_S)
/* A rule without a forecast speaks of what is now. */
#define REACH_NS (600 * KM_NS_PER_S)
/* What comes back by itself within this time needed nobody. */
#define BY_ITSELF_NS (10 * KM_NS_PER_S)
/* What an act itself costs. */
#define ACT_NS KM_NS_PER_S

static uint64_t reach_of(const struct km_rule *r)
{
	uint64_t reach = 0;

	for (unsigned int i = 0; i < r->when->span; i++)
		if (r->when[i].op == KM_COND_FORECAST && r->when[i].within_ns > reach)
			reach = r->when[i].within_ns;
	return reach > REACH_NS ? reach : REACH_NS;
}

int km_score_begin(struct km_score *s, const struct km_rules *rules)
{
	*s = (struct km_score){ .rules = rules };
	s->rule = calloc(rules->count + 1, sizeof(*s->rule));
	s->failure = calloc(KM_SCORE_FAILURES_MAX, sizeof(*s->failure));
	s->alarm = calloc(KM_SCORE_ALARMS_MAX, sizeof(*s->alarm));
	if (!s->rule || !s->failure || !s->alarm)
		return -ENOMEM;
	for (size_t i = 0; i < rules->count; i++)
		s->rule[i].reach_ns = reach_of(rules->rule[i]);
	return 0;
}

void km_score_clear(struct km_score *s)
{
	free(s->rule);
	free(s->failure);
	free(s->alarm);
	*s = (struct km_score){ 0 };
}

static int index_of(const struct km_score *s, uint64_t rule_key)
{
	for (size_t i = 0; i < s->rules->count; i++)
		if (s->rules->rule[i]->key == rule_key)
			return (int)i;
	return -1;
}

static bool wants_to_act(const struct km_decision *d)
{
	switch (d->answer) {
	case KM_ANSWER_ACT:
	case KM_ANSWER_SUGGEST:
	case KM_ANSWER_ASK:
	case KM_ANSWER_LATER:
		return true;
	case KM_ANSWER_NO:
		/* "the cause is gone" is no wish */
		return d->guard != KM_GUARD_FRESH;
	default:
		return false;
	}
}

/* When the service last failed, 0 never. */
static uint64_t failed_ns(const struct km_score *s, uint64_t service_id)
{
	for (size_t i = s->failures; i-- > 0;)
		if (s->failure[i].service_id == service_id)
			return s->failure[i].t_ns;
	return 0;
}

/* The newest alarm of this rule on this service, NULL if it is over: by silence, or because what it
 * warned of has happened. */
static struct km_alarm *alarm_under_way(struct km_score *s, const struct km_decision *d,
                                        uint32_t rule)
{
	uint64_t failed = failed_ns(s, d->service_id);

	for (size_t i = s->alarms; i-- > 0;) {
		struct km_alarm *a = &s->alarm[i];

		if (a->rule != rule || a->service_id != d->service_id)
			continue;
		if (d->t_ns - a->last_ns > QUIET_NS || (a->t_ns < failed && failed < d->t_ns))
			return NULL;
		return a;
	}
	return NULL;
}

static struct km_alarm *alarm_of(struct km_score *s, const struct km_decision *d, uint32_t rule)
{
	struct km_alarm *a = alarm_under_way(s, d, rule);

	if (a)
		return a;
	if (s->alarms == KM_SCORE_ALARMS_MAX) {
		s->dropped++;
		return NULL;
	}
	a = &s->alarm[s->alarms++];
	*a = (struct km_alarm){ .rule = rule, .service_id = d->service_id, .t_ns = d->t_ns };
	s->rule[rule].alarms++;
	return a;
}

static void on_decision(struct km_score *s, const struct km_decision *d)
{
	int i = index_of(s, d->rule_key);
	struct km_rule_score *rule = i < 0 ? NULL : &s->rule[i];
	struct km_alarm *a;

	if (!rule)
		return;
	rule->answers[d->answer]++;
	if (d->answer == KM_ANSWER_NO && d->guard < KM_GUARD_MAX)
		rule->blocked[d->guard]++;
	if (!wants_to_act(d))
		return;
	a = alarm_of(s, d, (uint32_t)i);
	if (!a)
		return;
	a->last_ns = d->t_ns;
	if (d->answer == KM_ANSWER_ACT && !a->acted) {
		a->acted = true;
		rule->acted++;
	}
}

static bool by_fault(const struct km_ending *e)
{
	return !e->asked && (!e->known || e->exit_code || e->oom);
}

static void on_event(struct km_score *s, const struct km_output *o)
{
	const struct km_service *service = o->service;
	struct km_failure *f;

	if (o->event == KM_EV_STARTED) {
		for (size_t i = s->failures; i-- > 0;) {
			f = &s->failure[i];
			if (f->service_id != service->id)
				continue;
			if (!f->back) {
				f->back = true;
				f->back_ns = o->t_ns;
			}
			break;
		}
		return;
	}
	if (o->event != KM_EV_ENDED || !by_fault(&service->last))
		return;
	if (s->failures == KM_SCORE_FAILURES_MAX) {
		s->dropped++;
		return;
	}
	f = &s->failure[s->failures++];
	*f = (struct km_failure){ .service_id = service->id, .t_ns = o->t_ns };
	km_copy(f->service, sizeof(f->service), service->name);
}

int km_score_output(struct km_score *s, const struct km_output *o)
{
	int i;

	if (!s->first_ns)
		s->first_ns = o->t_ns;
	s->last_ns = o->t_ns;
	if (o->kind == KM_OUT_DECISION) {
		on_decision(s, o->decision);
	} else if (o->kind == KM_OUT_EVENT && o->service) {
		on_event(s, o);
	} else if (o->kind == KM_OUT_VERDICT) {
		i = index_of(s, o->verdict->rule_key);
		if (i >= 0)
			s->rule[i].verdicts[o->verdict->kind]++;
	}
	return 0;
}

/* One alarm, one failure. True: it is the next of this service, which the alarm warned of, and none
 * behind it. */
static bool relate(struct km_score *s, struct km_alarm *a, struct km_failure *f)
{
	uint64_t reach_ns = s->rule[a->rule].reach_ns;

	if (a->service_id != f->service_id)
		return false;
	if (a->t_ns < f->t_ns && f->t_ns - a->t_ns <= reach_ns) {
		a->justified = true;
		f->foreseen = true;
		if (f->t_ns - a->t_ns > f->lead_ns)
			f->lead_ns = f->t_ns - a->t_ns;
		if (a->acted && f->back_ns - f->t_ns > ACT_NS)
			f->saved_ns = f->back_ns - f->t_ns - ACT_NS;
		return true;
	}
	if (a->t_ns >= f->t_ns && a->t_ns < f->back_ns) {
		/* who was back before anybody could have acted was not helped */
		if (!f->back || f->back_ns - f->t_ns > BY_ITSELF_NS)
			a->justified = true;
		f->answered = true;
		if (a->acted && f->back_ns > a->t_ns + ACT_NS && !f->saved_ns)
			f->saved_ns = f->back_ns - a->t_ns - ACT_NS;
	}
	return false;
}

/* Failures are in order: none from the K-th on has to do with the I-th alarm. */
static bool is_behind(const struct km_score *s, size_t i, size_t k)
{
	const struct km_alarm *a = &s->alarm[i];

	return s->failure[k].t_ns > a->t_ns + s->rule[a->rule].reach_ns;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t median_lead(const struct km_score *s)
{
	uint64_t *lead = calloc(s->failures + 1, sizeof(*lead)), ret;
	size_t n = 0;

	for (size_t i = 0; lead && i < s->failures; i++)
		if (s->failure[i].foreseen)
			lead[n++] = s->failure[i].lead_ns;
	if (n)
		qsort(lead, n, sizeof(*lead), by_number);
	ret = n ? lead[n / 2] : 0;
	free(lead);
	return ret;
}

static void sum_failures(struct km_score *s)
{
	for (size_t i = 0; i < s->failures; i++) {
		const struct km_failure *f = &s->failure[i];

		s->foreseen += f->foreseen;
		s->answered += f->answered && !f->foreseen;
		s->missed += !f->foreseen && !f->answered;
		s->down_ns += f->back_ns - f->t_ns;
		s->saved_ns += f->saved_ns;
	}
}

void km_score_end(struct km_score *s, uint64_t now_ns)
{
	s->last_ns = now_ns > s->last_ns ? now_ns : s->last_ns;
	for (size_t i = 0; i < s->failures; i++)
		if (!s->failure[i].back)
			s->failure[i].back_ns = s->last_ns;
	for (size_t i = 0; i < s->alarms; i++)
		for (size_t k = 0; k < s->failures && !is_behind(s, i, k); k++)
			if (relate(s, &s->alarm[i], &s->failure[k]))
				break;
	for (size_t i = 0; i < s->alarms; i++) {
		const struct km_alarm *a = &s->alarm[i];

		s->rule[a->rule].justified += a->justified;
		s->rule[a->rule].needless += a->acted && !a->justified;
		s->justified += a->justified;
	}
	sum_failures(s);
	s->lead_ns = median_lead(s);
}
