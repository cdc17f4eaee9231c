/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli.h"
#include "backtest.h"
#include "rule_check.h"
#include "rule_explain.h"
#include "rule_mode.h"
#include "rule_sign.h"
#include "rule_test.h"

static const struct km_column columns[] = {
	{ "ID", "id", KM_CELL_TEXT },           { "CLASS", "class", KM_CELL_TEXT },
	{ "MODE", "mode", KM_CELL_TEXT },       { "MATURITY", "maturity", KM_CELL_TEXT },
	{ "DEMOTED", "demoted", KM_CELL_YES },  { "VERDICTS", "verdicts", KM_CELL_LIST },
	{ "SUMMARY", "summary", KM_CELL_TEXT }, { 0 },
};

static const struct km_column refused[] = {
	{ "refused", "refused", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column rows[] = {
	{ "id", "id", KM_CELL_TEXT },
	{ "class", "class", KM_CELL_TEXT },
	{ "summary", "summary", KM_CELL_TEXT },
	{ "why", "why", KM_CELL_TEXT },
	{ "owner", "owner", KM_CELL_TEXT },
	{ "maturity", "maturity", KM_CELL_TEXT },
	{ "file", "file", KM_CELL_TEXT },
	{ "digest", "digest", KM_CELL_TEXT },
	{ "all services", "all_services", KM_CELL_TEXT },
	{ "services", "services", KM_CELL_LIST },
	{ "references", "references", KM_CELL_LIST },
	{ "mode", "guards.mode", KM_CELL_TEXT },
	{ "demoted", "demoted", KM_CELL_YES },
	{ "last verdicts", "verdicts", KM_CELL_LIST },
	{ "cooldown", "guards.cooldown", KM_CELL_TEXT },
	{ "budget", "guards.budget", KM_CELL_TEXT },
	{ "budget per", "guards.budget_per", KM_CELL_TEXT },
	{ "min healthy", "guards.min_healthy", KM_CELL_TEXT },
	{ "back-off from", "guards.backoff_base", KM_CELL_TEXT },
	{ "back-off up to", "guards.backoff_max", KM_CELL_TEXT },
	{ "verify within", "verify.within", KM_CELL_TEXT },
	{ "otherwise", "otherwise", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column steps[] = {
	{ "LINE", "line", KM_CELL_TEXT },       { "VERB", "verb", KM_CELL_TEXT },
	{ "SIGNAL", "signal", KM_CELL_TEXT },   { "LIMIT", "limit", KM_CELL_TEXT },
	{ "TIMEOUT", "timeout", KM_CELL_TEXT }, { 0 },
};

/* "  12  forecast kind=exhaustion resource=memory p=0.9", indented by depth. */
static void print_tree(struct km_cli *cli, const char *title, const cJSON *tree)
{
	const cJSON *node, *m;

	if (!cJSON_IsArray(tree) || !tree->child)
		return;
	fprintf(cli->out, "\n%s\n", title);
	cJSON_ArrayForEach(node, tree)
	{
		const double depth = cJSON_GetNumberValue(km_path(node, "depth"));
		const struct km_column op = { "", "op", KM_CELL_TEXT },
				       line = { "", "line", KM_CELL_TEXT };
		char cell[256];

		fprintf(cli->out, "%5s  ", km_cell(node, &line, cell, sizeof(cell)));
		fprintf(cli->out, "%*s%s", depth > 0 && depth < 64 ? 2 * (int)depth : 0, "",
		        km_cell(node, &op, cell, sizeof(cell)));
		cJSON_ArrayForEach(m, node)
		{
			const struct km_column c = { "", "", KM_CELL_TEXT };
			char key[64];

			if (cJSON_IsNull(m) || strcmp(m->string, "op") == 0 ||
			    strcmp(m->string, "line") == 0 || strcmp(m->string, "depth") == 0)
				continue;
			fprintf(cli->out, " %s=%s", km_text_escape(m->string, key, sizeof(key)),
			        km_cell(m, &c, cell, sizeof(cell)));
		}
		fputc('\n', cli->out);
	}
}

static void plain(struct km_cli *cli, const cJSON *end)
{
	const cJSON *rule = km_path(end, "rule");

	km_print_list(cli, rule, rows);
	print_tree(cli, "when (line, condition)", km_path(rule, "when"));
	print_tree(cli, "unless", km_path(rule, "unless"));
	fputs("\nplan\n", cli->out);
	km_print_table(cli, km_path(rule, "plan"), steps, "none");
}

static int list(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "rule",
		.command = "list",
		.words = { { .name = "--limit", .kind = KM_WORD_COUNT },
		           { .name = "--offset", .kind = KM_WORD_COUNT } },
		.rows = refused,
		.array = "rules",
		.columns = columns,
		.none = "no rule is in force",
	};

	return km_ask(cli, argc, argv, &ask);
}

static int show(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "rule",
		.command = "show",
		.words = { { .name = "name", .required = true } },
		.plain = plain,
	};

	return km_ask(cli, argc, argv, &ask);
}

/* A command on files: its findings as text, or within one JSON object. */
struct on_paths {
	int (*run)(const struct on_paths *on, struct km_json_writer *json, FILE *text);
	char *const *paths;
	size_t count;
	bool host;          /* scopes are held against the services of this host */
	const char *policy; /* steps are held against this file; NULL: not asked for */
};

static int check_paths(const struct on_paths *on, struct km_json_writer *json, FILE *text)
{
	km_autofree(km_host_services_clear) struct km_host_services host = { 0 };
	const struct km_rule_check_in in = { .paths = on->paths,
		                             .count = on->count,
		                             .host = on->host ? &host : NULL,
		                             .policy = on->policy };
	struct km_rule_check_sum sum;
	int r = on->host ? km_host_services_read(KM_CLI_CONFIG, &host) : 0;

	return r < 0 ? r : km_rule_check_paths(&in, json, text, &sum);
}

static int test_paths(const struct on_paths *on, struct km_json_writer *json, FILE *text)
{
	struct km_rule_test_sum sum;

	return km_rule_test_paths(on->paths, on->count, json, text, &sum);
}

static int as_json(struct km_cli *cli, const struct on_paths *on)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;
	int r;

	r = km_buf_new(16 * KM_JSON_BYTES_MAX, &out);
	if (r < 0)
		return r;
	km_jw_init(&w, out, cli->format == KM_PRETTY);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	r = on->run(on, &w, NULL);
	km_jw_end_object(&w);
	if (km_buf_error(out) < 0)
		return km_buf_error(out);
	fprintf(cli->out, "%s\n", km_buf_text(out));
	return r;
}

static int with_paths(struct km_cli *cli, const struct on_paths *on)
{
	char usage[128], remedy[160];
	int r;

	if (!on->count || on->paths[0][0] == '-') {
		snprintf(remedy, sizeof(remedy), "usage: %s",
		         km_cli_usage(cli, usage, sizeof(usage)));
		return km_say(cli, KM_EXIT_USAGE, remedy, "which rule file or folder?");
	}
	r = cli->format == KM_PLAIN ? on->run(on, NULL, cli->out) : as_json(cli, on);
	if (r < 0 && r != -EBADMSG)
		return km_say(cli, KM_EXIT_FAILED, NULL, "%s", strerror(-r));
	return r < 0 ? KM_EXIT_FAILED : KM_EXIT_DONE;
}

static int check(struct km_cli *cli, int argc, char **argv)
{
	struct on_paths on = { .run = check_paths };
	int i = 0;

	for (; i < argc; i++)
		if (!strcmp(argv[i], "--host"))
			on.host = true;
		else if (!strcmp(argv[i], "--policy") && i + 1 < argc)
			on.policy = argv[++i];
		else
			break;
	on.paths = argv + i;
	on.count = (size_t)(argc - i);
	return with_paths(cli, &on);
}

static int test(struct km_cli *cli, int argc, char **argv)
{
	return with_paths(cli, &(struct on_paths){ test_paths, argv, (size_t)argc, false, NULL });
}

static const struct km_column counted[] = {
	{ "RULE", "rule", KM_CELL_TEXT },
	{ "SUGGESTED", "suggested", KM_CELL_TEXT },
	{ "ACTED", "acted", KM_CELL_TEXT },
	{ "REFUSED", "refused", KM_CELL_TEXT },
	{ "ESCALATED", "escalated", KM_CELL_TEXT },
	{ "HELPED", "helped", KM_CELL_TEXT },
	{ "NOT", "did_not_help", KM_CELL_TEXT },
	{ "UNKNOWN", "not_measured", KM_CELL_TEXT },
	{ "FROM", "helped_share.low", KM_CELL_PERCENT },
	{ "TO", "helped_share.high", KM_CELL_PERCENT },
	{ "LIFT FROM", "lift.low", KM_CELL_PERCENT },
	{ "TO", "lift.high", KM_CELL_PERCENT },
	{ "TO ACT", "to_act_ns", KM_CELL_NS },
	{ "TO HELP", "to_help_ns", KM_CELL_NS },
	{ "LAST", "last_spoke_ms", KM_CELL_TIME },
	{ 0 },
};

static const struct km_column failures[] = {
	{ "RULE", "rule", KM_CELL_TEXT },
	{ "SERVICE", "service", KM_CELL_TEXT },
	{ "FAILURES", "failures", KM_CELL_TEXT },
	{ "ACTED", "acted", KM_CELL_TEXT },
	{ "SEEN AFTER", "to_detect_ns", KM_CELL_NS },
	{ "DOWN, ACTED", "down_acted_ns", KM_CELL_NS },
	{ "DOWN, LEFT", "down_left_ns", KM_CELL_NS },
	{ 0 },
};

static const struct km_column refusals[] = {
	{ "REFUSED BY", "guard", KM_CELL_TEXT },
	{ "COUNT", "count", KM_CELL_TEXT },
	{ 0 },
};

static void print_stats(struct km_cli *cli, const cJSON *end)
{
	const cJSON *by = km_path(end, "refused_by");

	km_print_table(cli, km_path(end, "rules"), counted, "nothing was decided yet");
	if (cJSON_GetArraySize(km_path(end, "failures")))
		km_print_table(cli, km_path(end, "failures"), failures, "");
	if (cJSON_GetArraySize(by))
		km_print_table(cli, by, refusals, "");
}

static int stats(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "rule",
		.command = "stats",
		.words = { { .name = "name" } },
		.plain = print_stats,
	};

	return km_ask(cli, argc, argv, &ask);
}

const struct km_cmd km_rule_cmds[] = {
	{ "list", list, "[--limit N] [--offset N]",
	  "rules in force, and why a new set was refused" },
	{ "show", show, "ID", "conditions, plan, guardrails and lines of one rule" },
	{ "stats", stats, "[RULE]", "what became of each rule on this host, and did it help" },
	{ "check", check, "[--host] [--policy FILE] PATH...",
	  "errors and warnings with file:line and remedy (offline)" },
	{ "explain", km_rule_explain, "FILE [--service NAME] [--policy FILE]",
	  "when it speaks, what it does, its maximum harm (offline)" },
	{ "backtest", km_rule_backtest,
	  "RULES --trace FILE...|--since TIME [--state DIR] [--policy FILE] [--as-written] "
	  "[--decisions]",
	  "recorded history through rules: what they would have done (offline)" },
	{ "diff", km_rule_diff,
	  "OLD NEW --trace FILE...|--since TIME [--state DIR] [--policy FILE] [--as-written]",
	  "what a change of rules would have changed in what is done (offline)" },
	{ "promote", km_rule_promote, "RULE MODE --why TEXT --trace FILE... [--rules DIR]",
	  "raise its mode by one step, if tests and back-test let it (root)" },
	{ "demote", km_rule_demote, "RULE MODE --why TEXT [--rules DIR]",
	  "lower its mode by one step (root)" },
	{ "sign", km_rule_sign, "KEY FILE...",
	  "write FILE.sig with a private key; with the public one, check it (offline)" },
	{ "test", test, "PATH...", "unit tests of rules, and what they leave out (offline)" },
	{ 0 },
};
