/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/signalfd.h>

#include "base/text.h"
#include "cli.h"

static const struct km_column columns[] = {
	{ "NAME", "name", KM_CELL_TEXT },
	{ "STATE", "state", KM_CELL_TEXT },
	{ "TIER", "tier", KM_CELL_TEXT },
	{ "RECORDS", "records", KM_CELL_TEXT },
	{ "PER", "per", KM_CELL_TEXT },
	{ "UNIT", "unit", KM_CELL_TEXT },
	{ "HOOK", "hook", KM_CELL_TEXT },
	{ "SINCE", "since", KM_CELL_TEXT },
	{ "MEANING, OR WHY NOT", "said", KM_CELL_TEXT },
	{ 0 },
};

static void plain(struct km_cli *cli, const cJSON *end)
{
	cJSON *all = (cJSON *)km_path(end, "signals"), *s;

	/* One column for both: what it means, or, if it is not there, why. */
	cJSON_ArrayForEach(s, all)
	{
		const cJSON *reason = km_path(s, "reason");
		const cJSON *said = cJSON_IsString(reason) ? reason : km_path(s, "meaning");

		if (cJSON_IsString(said))
			cJSON_AddStringToObject(s, "said", said->valuestring);
	}
	km_print_table(cli, all, columns, "none");
}

static int list(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = { .object = "signal", .command = "list", .plain = plain };

	return km_ask(cli, argc, argv, &ask);
}

/* "type=exit service=web tgid=4711 ..." in the order of the object. */
static int print_item(void *userdata, const struct km_json *item)
{
	struct km_cli *cli = userdata;
	const cJSON *m;
	bool first = true;

	if (cli->format != KM_PLAIN) {
		km_print_json(cli, km_json_root(item));
		return fflush(cli->out) == 0 ? 0 : KM_EXIT_FAILED;
	}
	cJSON_ArrayForEach(m, km_json_root(item))
	{
		const struct km_column c = { "", "", KM_CELL_TEXT };
		char cell[512], key[128];

		if (cJSON_IsObject(m) || cJSON_IsArray(m) || cJSON_IsNull(m))
			continue;
		fprintf(cli->out, "%s%s=%s", first ? "" : " ",
		        km_text_escape(m->string, key, sizeof(key)),
		        km_cell(m, &c, cell, sizeof(cell)));
		first = false;
	}
	fputc('\n', cli->out);
	/* Each line at once: people and pipes wait for it. A closed pipe ends the stream. */
	return fflush(cli->out) == 0 ? 0 : KM_EXIT_FAILED;
}

static int watch(struct km_cli *cli, int argc, char **argv)
{
	struct km_word words[] = { { .name = "service" },
		                   { .name = "signal" },
		                   { .name = "--for" },
		                   { .name = "--service", .local = true },
		                   { 0 } };
	km_autoclose int stop = -1;
	bool deep;
	sigset_t set;
	int r;

	r = km_words(cli, argc, argv, words);
	if (r)
		return r;
	/* Without a name that comes first, only what is there anyway. */
	deep = km_word(words, "service") != NULL;
	if (!deep) {
		if (km_word(words, "--for"))
			return km_say(cli, KM_EXIT_USAGE, "name the service to look at closely",
			              "--for is of no use here");
		words[0].value = km_word(words, "--service");
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	stop = signalfd(-1, &set, SFD_CLOEXEC);
	if (stop < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "signalfd: %s", strerror(errno));
	return km_request(cli,
	                  &(struct km_request_opts){ .object = "signal",
	                                             .command = deep ? "lease" : "watch",
	                                             .words = words,
	                                             .item = print_item,
	                                             .userdata = cli,
	                                             .stream = true,
	                                             .stop = &stop },
	                  NULL);
}

const struct km_cmd km_signal_cmds[] = {
	{ "list", list, "", "each signal: source, unit, records, why not" },
	{ "watch", watch, "[SERVICE [SIGNAL] [--for DURATION]] [--service NAME]",
	  "signals as they come, until ^C; SERVICE closely (root)" },
	{ 0 },
};
