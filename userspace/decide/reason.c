/* SPDX-License-Identifier: Apache-2.0 */
/* One line for people, the same on every machine. Names of processes come from outside: they are
 * quoted here and escaped by whoever prints the line. */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "decide/internal.h"

struct line {
	char text[1024]; /* longer than a reason: cut once, at a character's end */
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	l->len += n;
	if (l->len >= sizeof(l->text))
		l->len = sizeof(l->text) - 1;
}

static const char *const guard_says[KM_GUARD_MAX] = {
	[KM_GUARD_MODE] = "its mode does not let it act",
	[KM_GUARD_PAUSE] = "kmend is paused",
	[KM_GUARD_POLICY] = "the policy does not allow it",
	[KM_GUARD_PROTECTED] = "the service is protected",
	[KM_GUARD_QUARANTINE] = "the service is in quarantine",
	[KM_GUARD_BUSY] = "another repair is at work on it",
	[KM_GUARD_MANAGER] = "its manager ended it on purpose",
	[KM_GUARD_LOSS] = "records were lost",
	[KM_GUARD_FRESH] = "the evidence is too old",
	[KM_GUARD_COOLDOWN] = "it cools down",
	[KM_GUARD_BUDGET_RULE] = "the rule's budget is used up",
	[KM_GUARD_BUDGET_SERVICE] = "the service's budget is used up",
	[KM_GUARD_BUDGET_HOST] = "the host's budget is used up",
	[KM_GUARD_MIN_HEALTHY] = "too few of its group would be up",
	[KM_GUARD_WINDOW] = "the rule has no window now",
	[KM_GUARD_MAINTENANCE] = "people work on it",
	[KM_GUARD_NEEDS] = "what it needs is not there",
	[KM_GUARD_STARVED] = "it is starved, not dead",
	[KM_GUARD_INTENT] = "somebody ended it on purpose",
	[KM_GUARD_CONCURRENT] = "enough is being done",
};

static uint64_t whole_seconds(double s)
{
	if (!(s > 0))
		return 0;
	return s < 1e9 ? (uint64_t)(s + 0.5) : 1000000000;
}

static void add_eta(struct line *l, const struct km_forecast *f)
{
	uint64_t eta = whole_seconds(f->eta_s), lo = whole_seconds(f->eta_lo_s);
	uint64_t hi = whole_seconds(f->eta_hi_s);
	char a[32], b[32], c[32];

	if (hi < 600) {
		add(l, " in %llu s (%llu to %llu)", (unsigned long long)eta, (unsigned long long)lo,
		    (unsigned long long)hi);
		return;
	}
	add(l, " in %s (%s to %s)", km_text_duration(eta * KM_NS_PER_S, a, sizeof(a)),
	    km_text_duration(lo * KM_NS_PER_S, b, sizeof(b)),
	    km_text_duration(hi * KM_NS_PER_S, c, sizeof(c)));
}

/* What the condition asked for; without one, what the forecast says. */
static unsigned int percent(const struct km_move *m, const struct km_decision *d)
{
	double p = d->forecast.p;

	for (unsigned int i = 0; m->rule && i < m->rule->when->span; i++)
		if (m->rule->when[i].op == KM_COND_FORECAST && m->rule->when[i].line == d->line &&
		    m->rule->when[i].p > 0)
			p = m->rule->when[i].p;
	if (!(p > 0))
		return 0;
	return p < 1 ? (unsigned int)(p * 100 + 0.5) : 100;
}

static void add_forecast(struct line *l, const struct km_move *m, const struct km_decision *d)
{
	const struct km_forecast *f = &d->forecast;
	char span[32];

	if (f->kind == KM_EXHAUSTION && f->resource < KM_RESOURCE_MAX) {
		add(l, "exhaustion of %s", km_resource_names[f->resource]);
		add_eta(l, f);
	} else {
		add(l, "crash loop, %u ends in %s", f->ends,
		    km_text_duration(f->span_ns, span, sizeof(span)));
	}
	add(l, ", %u %% or more", percent(m, d));
}

static void add_ending(struct line *l, const struct km_ending *e)
{
	char lived[32];

	if (e->oom)
		add(l, "ended by the OOM killer");
	else if (e->signal && e->sender_tgid)
		add(l, "ended by signal %u from '%s' (pid %u, uid %u)", e->signal, e->sender_comm,
		    e->sender_tgid, e->sender_uid);
	else if (e->known && (e->exit_code & 0x7f))
		add(l, "ended by signal %u", e->exit_code & 0x7f);
	else if (e->known)
		add(l, "ended with code %u", e->exit_code >> 8 & 0xff);
	else
		add(l, "is gone");
	if (e->start_ns && e->t_ns > e->start_ns)
		add(l, " after %s", km_text_duration(e->t_ns - e->start_ns, lived, sizeof(lived)));
}

static void add_cause(struct line *l, const struct km_move *m, const struct km_decision *d)
{
	if (!d->rule_key)
		add(l, "not found running");
	else if (d->has_forecast)
		add_forecast(l, m, d);
	else if (d->event == KM_EV_ENDED)
		add_ending(l, &d->ending);
	else if (d->event != KM_EV_NONE)
		add(l, "event %s", km_event_names[d->event]);
	else
		add(l, "its condition holds");
}

/* The guard's own words, where it knows more than that it refuses. */
static void add_refusal(struct line *l, const struct km_move *m, const struct km_decision *d)
{
	const struct km_service *root = d->guard == KM_GUARD_NEEDS ? km_depend_root(m) : NULL;
	char text[192];

	if (root)
		add(l, "it needs %s, which is %s: ", root->name,
		    root->state == KM_SERVICE_DOWN ? "down"
		    : root->health == KM_UNHEALTHY ? "unhealthy"
		                                   : "being repaired");
	else if (d->guard == KM_GUARD_INTENT)
		add(l, "left to the %s who ended it: ", km_sender_names[m->service->last.sender]);
	else if (d->guard == KM_GUARD_STARVED)
		add(l, "%s: ", km_starved_text(m, text, sizeof(text)));
	else
		add(l, "%s: ", guard_says[d->guard]);
}

static void add_answer(struct line *l, const struct km_move *m, const struct km_decision *d)
{
	uint64_t wait = km_decide_age(d->due_ns, d->t_ns);
	char text[32];

	km_text_duration(wait, text, sizeof(text));
	if (m->note)
		add(l, d->answer == KM_ANSWER_RELEASE ? "%s" : "%s: ", m->note);
	else if (d->answer == KM_ANSWER_NO && d->guard < KM_GUARD_MAX)
		add_refusal(l, m, d);
	else if (d->answer == KM_ANSWER_SUGGEST)
		add(l, "would %s: ", km_verb_names[d->verb]);
	else if (d->answer == KM_ANSWER_SHADOW)
		add(l, "nothing is done, to see what comes of that: ");
	else if (d->answer == KM_ANSWER_ASK)
		add(l, "%s waits %s for approval: ", km_verb_names[d->verb], text);
	else if (d->answer == KM_ANSWER_LATER)
		add(l, "attempt %u in %s: ", d->attempt, text);
	else if (d->answer == KM_ANSWER_QUARANTINE)
		add(l, "not started again until this is approved: ");
	else if (d->answer == KM_ANSWER_ESCALATE)
		add(l, "people must look: ");
	else if (d->answer == KM_ANSWER_ACT && d->attempt > 1)
		add(l, "attempt %u: ", d->attempt);
}

void km_reason_write(const struct km_move *m, struct km_decision *d)
{
	struct line l = { .len = 0 };

	add_answer(&l, m, d);
	if (d->answer != KM_ANSWER_RELEASE)
		add_cause(&l, m, d);
	if (d->rule_key)
		add(&l, "; rule %s", d->rule);
	if (d->line)
		add(&l, " line %u", d->line);
	memset(d->reason, 0, sizeof(d->reason));
	km_utf8_clean(l.text, l.len, d->reason, sizeof(d->reason));
}
