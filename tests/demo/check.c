/* SPDX-License-Identifier: Apache-2.0 */
/* What must have happened: each claim looks at rows only. */
#include <stdio.h>

#include "demo.h"

/* Quiet after a quarantine that must be seen before the demo may end. */
#define QUIET_NS   (6 * KM_NS_PER_S)
#define AT_ONCE_NS (200 * KM_NS_PER_MS)

static bool is(const struct row *r, enum row_kind kind, const char *service, const char *what)
{
	return r->kind == kind && strcmp(r->service, service) == 0 &&
	       (!what || strcmp(r->what, what) == 0);
}

/* First row like that at or after T_NS. */
static const struct row *find(const struct rows *rows, enum row_kind kind, const char *service,
                              const char *what, uint64_t t_ns)
{
	const struct row *best = NULL;

	for (size_t i = 0; i < rows->count; i++) {
		const struct row *r = &rows->row[i];

		if (is(r, kind, service, what) && r->t_ns >= t_ns &&
		    (!best || r->t_ns < best->t_ns))
			best = r;
	}
	return best;
}

static size_t count(const struct rows *rows, enum row_kind kind, const char *service,
                    const char *what)
{
	size_t n = 0;

	for (size_t i = 0; i < rows->count; i++)
		n += is(&rows->row[i], kind, service, what);
	return n;
}

static const struct row *verdict_on(const struct rows *rows, uint64_t id)
{
	for (size_t i = 0; i < rows->count; i++)
		if (rows->row[i].kind == ROW_VERDICT && rows->row[i].id == id)
			return &rows->row[i];
	return NULL;
}

/* An end that nobody asked for, before T_NS. */
static bool ended_by_itself(const struct rows *rows, const char *service, uint64_t t_ns)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct row *r = &rows->row[i];

		if (is(r, ROW_EVENT, service, "ended") && !r->asked && r->t_ns < t_ns)
			return true;
	}
	return false;
}

static struct demo_check *claim(struct demo_check *c, const char *service, const char *text)
{
	*c = (struct demo_check){ .service = service, .claim = text };
	return c;
}

/* Forecast with an interval, restart before the limit, verified. */
static size_t check_leak(const struct rows *rows, const char *service, const char *resource,
                         struct demo_check *ret)
{
	const struct row *restart = find(rows, ROW_INTENT, service, "restart", 0);
	const struct row *said = NULL, *verdict = restart ? verdict_on(rows, restart->id) : NULL;
	struct demo_check *c;

	for (size_t i = 0; i < rows->count && restart; i++) {
		const struct row *r = &rows->row[i];

		if (is(r, ROW_FORECAST, service, resource) && r->p >= 0.5 &&
		    r->t_ns <= restart->t_ns)
			said = r;
	}
	c = claim(&ret[0], service, "forecast with an interval before it was acted on");
	c->holds = said && said->lo_s > 0 && said->lo_s <= said->eta_s && said->eta_s <= said->hi_s;
	if (said)
		snprintf(c->detail, sizeof(c->detail), "%s %s", resource, said->text);
	c = claim(&ret[1], service, "restarted before it reached its limit");
	c->holds = restart && !ended_by_itself(rows, service, restart->t_ns) &&
	           !count(rows, ROW_EVENT, service, "oom");
	if (restart)
		km_copy(c->detail, sizeof(c->detail), restart->text);
	c = claim(&ret[2], service, "verified as helped");
	c->holds = verdict && strcmp(verdict->what, "helped") == 0;
	if (verdict)
		km_copy(c->detail, sizeof(c->detail), verdict->text);
	return 3;
}

/* The starts that a rule asked for, each later than the one before by more and more. */
static bool gaps_grow(const struct rows *rows, const char *service, struct demo_check *c)
{
	uint64_t last = 0, gap = 0;
	size_t n = 0, len = 0;
	bool grow = true;

	for (size_t i = 0; i < rows->count; i++) {
		const struct row *r = &rows->row[i];

		if (!is(r, ROW_STARTED, service, NULL))
			continue;
		if (n >= 1) {
			uint64_t now = r->t_ns - last;

			grow = grow && now > gap;
			gap = now;
			len += (size_t)snprintf(c->detail + len, sizeof(c->detail) - len,
			                        "%s%.1f s", len ? ", " : "gaps ",
			                        (double)gap / 1e9);
			if (len >= sizeof(c->detail))
				len = sizeof(c->detail) - 1;
		}
		last = r->t_ns;
		n++;
	}
	return grow && n >= 3;
}

static size_t check_crash(const struct rows *rows, struct demo_check *ret)
{
	static const char service[] = "demo-crash";
	const struct row *q = find(rows, ROW_DECISION, service, "quarantine", 0);
	const struct row *escalated = find(rows, ROW_DECISION, service, "escalate", 0);
	uint64_t last = 0;
	struct demo_check *c;

	for (size_t i = 0; i < rows->count; i++)
		last = rows->row[i].t_ns > last ? rows->row[i].t_ns : last;
	c = claim(&ret[0], service, "started again with growing back-off");
	c->holds = gaps_grow(rows, service, c);
	c = claim(&ret[1], service, "then quarantine and an escalation");
	c->holds = q && escalated;
	if (q)
		km_copy(c->detail, sizeof(c->detail), q->text);
	c = claim(&ret[2], service, "no start after the quarantine");
	c->holds =
		q && last > q->t_ns + QUIET_NS && !find(rows, ROW_STARTED, service, NULL, q->t_ns);
	return 3;
}

static size_t check_victim(const struct rows *rows, uint32_t outsider, struct demo_check *ret)
{
	static const char service[] = "demo-victim";
	const struct row *end = find(rows, ROW_EVENT, service, "ended", 0);
	const struct row *again = end ? find(rows, ROW_STARTED, service, NULL, end->t_ns) : NULL;
	const struct row *verdict = again ? verdict_on(rows, again->id) : NULL;
	struct demo_check *c;

	c = claim(&ret[0], service, "the killer is named from the kernel's record");
	c->holds = end && end->signal == 9 && end->pid == outsider &&
	           strcmp(end->sender, "outsider") == 0;
	if (end)
		km_copy(c->detail, sizeof(c->detail), end->text);
	c = claim(&ret[1], service, "started again at once");
	c->holds = again && again->t_ns - end->t_ns <= AT_ONCE_NS;
	if (again)
		snprintf(c->detail, sizeof(c->detail), "%.1f ms after its end",
		         (double)(again->t_ns - end->t_ns) / 1e6);
	c = claim(&ret[2], service, "verified as helped");
	c->holds = verdict && strcmp(verdict->what, "helped") == 0;
	if (verdict)
		km_copy(c->detail, sizeof(c->detail), verdict->text);
	return 3;
}

static size_t check_noisy(const struct rows *rows, struct demo_check *ret)
{
	static const char service[] = "demo-noisy";
	size_t starts = count(rows, ROW_STARTED, service, NULL);
	struct demo_check *c = claim(&ret[0], service, "healthy and noisy: never touched");

	c->holds = starts == 1 && count(rows, ROW_INTENT, service, NULL) == 1 &&
	           !count(rows, ROW_INTENT, service, "restart");
	snprintf(c->detail, sizeof(c->detail), "%zu start, %zu restarts", starts,
	         count(rows, ROW_INTENT, service, "restart"));
	return 1;
}

size_t demo_check(const struct rows *rows, uint32_t outsider, struct demo_check ret[DEMO_CHECKS])
{
	size_t n = check_leak(rows, "demo-leak-memory", "memory", ret);

	n += check_leak(rows, "demo-leak-files", "descriptors", ret + n);
	n += check_crash(rows, ret + n);
	n += check_victim(rows, outsider, ret + n);
	n += check_noisy(rows, ret + n);
	return n;
}
