/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

const char *km_cli_usage(const struct km_cli *cli, char *out, size_t size)
{
	const struct km_cmd *c = cli->cmd;

	if (!c)
		snprintf(out, size, "kmend help");
	else
		snprintf(out, size, "kmend %s%s%s%s%s", cli->object, c->name[0] ? " " : "", c->name,
		         c->args[0] ? " " : "", c->args);
	return out;
}

static void json_command(struct km_json_writer *w, const struct km_cmd *c)
{
	km_jw_object(w);
	km_jw_kstring(w, "command", c->name);
	km_jw_kstring(w, "args", c->args);
	km_jw_kstring(w, "help", c->help);
	km_jw_end_object(w);
}

static void json_object(struct km_json_writer *w, const struct km_object *o)
{
	km_jw_object(w);
	km_jw_kstring(w, "object", o->name);
	km_jw_kstring(w, "help", o->help);
	km_jw_key(w, "commands");
	km_jw_array(w);
	for (const struct km_cmd *c = o->cmds; c->name; c++)
		json_command(w, c);
	km_jw_end_array(w);
	km_jw_end_object(w);
}

static int help_json(struct km_cli *cli, const struct km_object *only)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;

	if (km_buf_new(KM_JSON_BYTES_MAX, &out) < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "out of memory");
	km_jw_init(&w, out, cli->format == KM_PRETTY);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_key(&w, "objects");
	km_jw_array(&w);
	for (const struct km_object *o = km_objects; o->name; o++)
		if (!only || only == o)
			json_object(&w, o);
	km_jw_end_array(&w);
	km_jw_end_object(&w);
	fprintf(cli->out, "%s\n", km_buf_text(out));
	return KM_EXIT_DONE;
}

static void help_object(struct km_cli *cli, const struct km_object *o)
{
	for (const struct km_cmd *c = o->cmds; c->name; c++) {
		struct km_cli one = { .object = o->name, .cmd = c };
		char usage[256];

		fprintf(cli->out, "  %-52s %s\n", km_cli_usage(&one, usage, sizeof(usage)),
		        c->help);
	}
}

int km_cli_help(struct km_cli *cli, const struct km_object *only)
{
	if (cli->format != KM_PLAIN)
		return help_json(cli, only);
	if (only) {
		fprintf(cli->out, "%s: %s\n\n", only->name, only->help);
		help_object(cli, only);
		return KM_EXIT_DONE;
	}
	fprintf(cli->out, "kmend [-j|-p] [--socket PATH] OBJECT COMMAND [ARGS]\n\n");
	for (const struct km_object *o = km_objects; o->name; o++)
		help_object(cli, o);
	fprintf(cli->out,
	        "\n  -j, --json    JSON on one line      -p, --pretty  JSON for people\n"
	        "  --socket PATH of the daemon, %s otherwise\n"
	        "  --version     and kmend OBJECT help\n\n"
	        "Exit status: 0 done, 1 failed or refused, 2 usage, 3 kmendd not reachable\n",
	        KM_CLI_SOCKET);
	return KM_EXIT_DONE;
}
