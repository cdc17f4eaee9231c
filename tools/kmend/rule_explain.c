// SPDX-License-Identifier: Apache-2.0
/* kmend rule explain FILE: when a rule speaks, what it does, and the most harm it can do. */
#include "base/text.h"
#include "cli.h"
#include "review/files.h"
#include "review/harm.h"
#include "review/lookout.h"
#include "rule_explain.h"

#define HOUR_NS (3600 * KM_NS_PER_S)
#define DAY_NS  (24 * HOUR_NS)

struct explaining {
	struct km_cli *cli;
	struct km_rule *rule;
	struct km_policy *policy;
	const char *service;
	uint64_t services;
};

static void km_explaining_clear(struct explaining *x)
{
	km_rule_free(x->rule);
	km_policy_free(x->policy);
}

static const char *quantity(const struct km_cond *c, double v, bool share, char *out, size_t size)
{
	bool bytes = c->resource < KM_RESOURCE_MAX &&
	             !strcmp(km_resource_unit((enum km_resource)c->resource), "bytes");

	if (share)
		snprintf(out, size, "%.4g %% of its limit", 100 * v);
	else if (bytes)
		km_text_bytes((uint64_t)v, out, size);
	else
		snprintf(out, size, "%.6g%s%s", v,
		         c->signal < KM_SIG_MAX && km_catalogue[c->signal].unit[0] ? " " : "",
		         c->signal < KM_SIG_MAX ? km_catalogue[c->signal].unit : "");
	return out;
}

static void say_level(const struct km_cond *c, char *out, size_t size)
{
	char limit[64], back[64] = "", until[64];
	const char *what = c->resource < KM_RESOURCE_MAX ? km_resource_names[c->resource]
	                   : c->signal < KM_SIG_MAX      ? km_catalogue[c->signal].name
	                                                 : "level";

	if (c->until >= 0)
		snprintf(back, sizeof(back), ", until %s %s", c->below ? "above" : "below",
		         quantity(c, c->until, c->until_share, until, sizeof(until)));
	snprintf(out, size, "%s%s %s %s%s", c->host ? "the host's " : "", what,
	         c->below ? "below" : "above",
	         quantity(c, c->above, c->above_share, limit, sizeof(limit)), back);
}

static void say_forecast(const struct km_cond *c, char *out, size_t size)
{
	char within[32], time[48] = "";

	if (c->within_ns)
		snprintf(time, sizeof(time), " within %s",
		         km_text_duration(c->within_ns, within, sizeof(within)));
	snprintf(out, size, "a forecast of %s%s%s%s, %.4g %% likely or more",
	         km_forecast_kind_names[c->forecast_kind],
	         c->resource < KM_RESOURCE_MAX ? " of " : "",
	         c->resource < KM_RESOURCE_MAX ? km_resource_names[c->resource] : "", time,
	         100 * c->p);
}

static void say_event(const struct km_cond *c, char *out, size_t size)
{
	char within[32], count[64] = "", by[64] = "", how[48] = "";

	if (c->event == KM_EV_ENDED && c->how != KM_END_ANY)
		snprintf(how, sizeof(how), " (%s)", km_end_how_names[c->how]);
	if (c->by[0])
		snprintf(by, sizeof(by), " by \"%s\"", c->by);
	if (c->count > 1)
		snprintf(count, sizeof(count), ", the %uth time or more within %s", c->count,
		         km_text_duration(c->within_ns, within, sizeof(within)));
	snprintf(out, size, "it %s%s%s%s", km_event_names[c->event], how, by, count);
}

static void say_endpoint(const struct km_cond *c, char *out, size_t size)
{
	char primary[48] = "", standby[64] = "", traffic[64] = "", forecast[96] = "";

	if (c->primary)
		snprintf(primary, sizeof(primary), ", primary %s",
		         km_place_health_names[c->primary]);
	if (c->standby)
		snprintf(standby, sizeof(standby), ", the standby in use %s",
		         km_place_health_names[c->standby]);
	if (c->traffic)
		snprintf(traffic, sizeof(traffic), ", traffic to %s",
		         km_traffic_names[c->traffic - 1]);
	if (c->p > 0)
		snprintf(forecast, sizeof(forecast), ", %s forecast of its primary, %.0f %% sure",
		         km_forecast_kind_names[c->forecast_kind], 100 * c->p);
	snprintf(out, size, "endpoint %s%s%s%s%s", c->by[0] ? c->by : "(any)", primary, standby,
	         traffic, forecast);
}

static void say_condition(const struct km_cond *c, char *out, size_t size)
{
	char text[384] = "", time[32];

	switch (c->op) {
	case KM_COND_ALL:
		km_copy(text, sizeof(text), "all of");
		break;
	case KM_COND_ANY:
		km_copy(text, sizeof(text), "any of");
		break;
	case KM_COND_NOT:
		km_copy(text, sizeof(text), "not");
		break;
	case KM_COND_FORECAST:
		say_forecast(c, text, sizeof(text));
		break;
	case KM_COND_EVENT:
		say_event(c, text, sizeof(text));
		break;
	case KM_COND_STATE:
		snprintf(text, sizeof(text), "it is %s", km_cond_state_names[c->state - KM_IS_UP]);
		break;
	case KM_COND_LEVEL:
		say_level(c, text, sizeof(text));
		break;
	case KM_COND_INCIDENT:
		snprintf(text, sizeof(text), "an incident of its %s is open",
		         km_incident_whose_names[c->of]);
		break;
	case KM_COND_ENDPOINT:
		say_endpoint(c, text, sizeof(text));
		break;
	case KM_COND_TEXT:
		snprintf(text, sizeof(text), "what %s%s says matches /%s/",
		         km_pattern_check(c->pattern)[0] ? "its health check "
		                                         : "a health check of it",
		         km_pattern_check(c->pattern), km_pattern_text(c->pattern));
		break;
	case KM_COND_DEPLOYED:
		snprintf(text, sizeof(text), "it runs another version since %s at most",
		         km_text_duration(c->within_ns, time, sizeof(time)));
		break;
	case KM_COND_OP_MAX:
		break;
	}
	snprintf(out, size, "%s%s%s", text, c->for_ns ? ", for " : "",
	         c->for_ns ? km_text_duration(c->for_ns, time, sizeof(time)) : "");
}

static void print_tree(struct km_cli *cli, const struct km_cond *tree, unsigned int i, int depth)
{
	unsigned int child = i + 1;
	char text[320];

	say_condition(&tree[i], text, sizeof(text));
	fprintf(cli->out, "%*s%s  (line %u)\n", 2 * depth, "", text, tree[i].line);
	for (unsigned int n = 0; n < tree[i].children; n++, child += tree[child].span)
		print_tree(cli, tree, child, depth + 1);
}

static void print_plan(struct explaining *x)
{
	const struct km_rule *r = x->rule;
	char time[32];

	for (unsigned int i = 0; i < r->steps; i++)
		fprintf(x->cli->out, "  %u. %s%s, %s at most%s\n", i + 1,
		        km_verb_names[r->plan[i].verb],
		        x->policy->verbs[r->plan[i].verb] || r->plan[i].verb == KM_NOTIFY
		                ? ""
		                : " (the policy forbids it)",
		        km_text_duration(r->plan[i].timeout_ns, time, sizeof(time)),
		        i + 1 < r->steps ? "; if that fails or does not help:" : "");
	fprintf(x->cli->out, "  then: %s\n",
	        r->otherwise == KM_ELSE_QUARANTINE
	                ? "people are called, and it is not started again without them"
	                : "people are called");
}

static void print_verify(struct explaining *x)
{
	const struct km_verify_spec *v = &x->rule->verify;
	char time[32], up[32];

	if (v->none) {
		fputs("whether it helped is not measured\n", x->cli->out);
		return;
	}
	fprintf(x->cli->out,
	        "it helped if within %s:", km_text_duration(v->within_ns, time, sizeof(time)));
	if (v->up || v->up_for_ns)
		fprintf(x->cli->out, " it is up%s%s;", v->up_for_ns ? " for " : "",
		        v->up_for_ns ? km_text_duration(v->up_for_ns, up, sizeof(up)) : "");
	if (v->forecast_gone)
		fputs(" the forecast is gone;", x->cli->out);
	if (v->below_resource < KM_RESOURCE_MAX)
		fprintf(x->cli->out, " %s is below %.4g %% of its limit;",
		        km_resource_names[v->below_resource], 100 * v->below);
	if (v->no_end)
		fputs(" it did not end again;", x->cli->out);
	fputc('\n', x->cli->out);
}

static void harm_in(const struct explaining *x, uint64_t span_ns, struct km_harm *ret)
{
	const struct km_harm_in in = { x->rule, x->policy, x->service, x->services, span_ns };

	km_harm_of(&in, ret);
}

static void print_harm(struct explaining *x, const char *name, uint64_t span_ns)
{
	struct km_harm h;
	char one[32], all[32];

	harm_in(x, span_ns, &h);
	if (!h.allowed) {
		fprintf(x->cli->out, "  in %s: none, the policy allows it nothing but to tell\n",
		        name);
		return;
	}
	fprintf(x->cli->out,
	        "  in %s: %llu acts on one service (%s), %llu in all on %llu services; down for "
	        "%s each%s, %s together\n",
	        name, (unsigned long long)h.acts_a_service, h.bound, (unsigned long long)h.acts,
	        (unsigned long long)h.services,
	        km_text_duration(h.down_a_service_ns, one, sizeof(one)),
	        h.for_good ? ", until people come" : "",
	        km_text_duration(h.down_ns, all, sizeof(all)));
}

static void print_scope(struct explaining *x)
{
	const struct km_rule *r = x->rule;
	char *const *lists[] = { r->services, r->units, r->images, r->labels };

	fprintf(x->cli->out, "about: %s", r->all_services ? "all of kind " : "");
	if (r->all_services)
		fprintf(x->cli->out, "%s", km_entity_names[r->entity]);
	for (size_t i = 0; i < KM_ARRAY_SIZE(lists); i++)
		for (char *const *s = lists[i]; s && *s; s++)
			fprintf(x->cli->out, "%s ", *s);
	fputs("\n\n", x->cli->out);
}

static void print(struct explaining *x)
{
	const struct km_rule *r = x->rule;
	FILE *out = x->cli->out;

	fprintf(out, "%s: %s\n%s\nmode %s, %s, owner %s\n", r->id, r->summary, r->why,
	        km_mode_names[r->guard.mode], r->stable ? "stable" : "experimental", r->owner);
	print_scope(x);
	fputs("it speaks when\n", out);
	print_tree(x->cli, r->when, 0, 1);
	if (r->unless->span) {
		fputs("unless\n", out);
		print_tree(x->cli, r->unless, 0, 1);
	}
	fputs(r->guard.mode < KM_APPROVE ? "it would then\n" : "it then does\n", out);
	print_plan(x);
	print_verify(x);
	fprintf(out, "the most harm%s\n",
	        r->guard.mode < KM_APPROVE ? ", were it raised to auto (as it is, it does nothing)"
	                                   : "");
	print_harm(x, "an hour", HOUR_NS);
	print_harm(x, "a day", DAY_NS);
}

static void write_harm(struct explaining *x, struct km_json_writer *w, const char *key,
                       uint64_t span_ns)
{
	struct km_harm h;

	harm_in(x, span_ns, &h);
	km_jw_key(w, key);
	km_jw_object(w);
	km_jw_kbool(w, "allowed", h.allowed);
	km_jw_ku64(w, "acts_on_one_service", h.acts_a_service);
	km_jw_ku64(w, "acts", h.acts);
	km_jw_ku64(w, "services", h.services);
	km_jw_ku64(w, "down_of_one_service_ns", h.down_a_service_ns);
	km_jw_ku64(w, "down_ns", h.down_ns);
	km_jw_kbool(w, "for_good", h.for_good);
	km_jw_kstring(w, "bound", h.bound);
	km_jw_end_object(w);
}

static void write_tree(struct km_json_writer *w, const char *key, const struct km_cond *tree)
{
	char text[320];

	km_jw_key(w, key);
	km_jw_array(w);
	for (unsigned int i = 0; i < tree->span; i++) {
		say_condition(&tree[i], text, sizeof(text));
		km_jw_object(w);
		km_jw_ku64(w, "line", tree[i].line);
		km_jw_ku64(w, "conditions", tree[i].span);
		km_jw_kstring(w, "text", text);
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
}

static int print_as_json(struct explaining *x)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;
	int r = km_buf_new(KM_JSON_BYTES_MAX, &out);

	if (r < 0)
		return r;
	km_jw_init(&w, out, x->cli->format == KM_PRETTY);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_kstring(&w, "id", x->rule->id);
	km_jw_kstring(&w, "mode", km_mode_names[x->rule->guard.mode]);
	write_tree(&w, "when", x->rule->when);
	write_tree(&w, "unless", x->rule->unless);
	write_harm(x, &w, "hour", HOUR_NS);
	write_harm(x, &w, "day", DAY_NS);
	km_jw_end_object(&w);
	r = km_buf_error(out);
	if (r == 0)
		fprintf(x->cli->out, "%s\n", km_buf_text(out));
	return r;
}

/* Services of this host that the rule covers. */
static int count_services(struct explaining *x)
{
	km_autofree(km_host_services_clear) struct km_host_services host = { 0 };
	int r = km_host_services_read(KM_CLI_CONFIG, &host);

	for (size_t i = 0; r == 0 && i < host.count; i++) {
		struct km_service s = { .kind = KM_BY_UNIT };

		km_copy(s.name, sizeof(s.name), host.name[i]);
		x->services += km_rule_covers(x->rule, &s, NULL);
	}
	return r;
}

static int read_policy(const char *path, struct km_error *err, struct km_policy **ret)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_error doubt;
	int r;

	if (!path)
		return km_policy_compile(NULL, 0, "(defaults)", err, ret);
	r = km_files_read(path, err, &doubt, &text);
	return r < 0 ? r : km_policy_compile(km_buf_text(text), text->len, path, err, ret);
}

static int read_all(struct explaining *x, const struct km_word *words, struct km_error *err)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	const char *path = km_word(words, "rule");
	struct km_error doubt;
	int r = km_files_read(path, err, &doubt, &text);

	x->service = km_word(words, "--service");
	if (r == 0)
		r = km_rule_compile(km_buf_text(text), text->len, path, err, &x->rule);
	if (r == 0)
		r = read_policy(km_word(words, "--policy"), err, &x->policy);
	return r == 0 ? count_services(x) : r;
}

int km_rule_explain(struct km_cli *cli, int argc, char **argv)
{
	struct km_word words[] = {
		{ .name = "rule", .required = true },
		{ .name = "--service" },
		{ .name = "--policy" },
		{ 0 },
	};
	km_autofree(km_explaining_clear) struct explaining x = { .cli = cli };
	struct km_error err = { 0 };
	char line[4 * sizeof(err)];
	int r = km_words(cli, argc, argv, words);

	if (r)
		return r;
	r = read_all(&x, words, &err);
	if (r == 0 && cli->format == KM_PLAIN)
		print(&x);
	else if (r == 0)
		r = print_as_json(&x);
	if (r < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "%s",
		              err.what[0] ? km_error_format(&err, line, sizeof(line))
		                          : strerror(-r));
	return KM_EXIT_DONE;
}
