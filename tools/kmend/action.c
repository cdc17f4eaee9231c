/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/journal.h"
#include "cli.h"

static const struct km_column columns[] = {
	{ "ID", "id", KM_CELL_TEXT },
	{ "TIME", "realtime_ms", KM_CELL_TIME },
	{ "SERVICE", "service", KM_CELL_TEXT },
	{ "RULE", "rule", KM_CELL_TEXT },
	{ "ANSWER", "answer", KM_CELL_TEXT },
	{ "VERB", "verb", KM_CELL_TEXT },
	{ "OUTCOME", "outcome.state", KM_CELL_TEXT },
	{ "VERDICT", "verdict", KM_CELL_TEXT },
	{ "REASON", "reason", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column waiting[] = {
	{ "ID", "id", KM_CELL_TEXT },
	{ "SERVICE", "service", KM_CELL_TEXT },
	{ "RULE", "rule", KM_CELL_TEXT },
	{ "VERB", "verb", KM_CELL_TEXT },
	{ "EXPIRES IN", "expires_s", KM_CELL_SECONDS },
	{ "REASON", "reason", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column rows[] = {
	{ "id", "id", KM_CELL_TEXT },
	{ "incident", "incident", KM_CELL_TEXT },
	{ "time", "realtime_ms", KM_CELL_TIME },
	{ "service", "service", KM_CELL_TEXT },
	{ "rule", "rule", KM_CELL_TEXT },
	{ "answer", "answer", KM_CELL_TEXT },
	{ "verb", "verb", KM_CELL_TEXT },
	{ "reason", "reason", KM_CELL_TEXT },
	{ "outcome", "outcome.state", KM_CELL_TEXT },
	{ "  error", "outcome.error", KM_CELL_TEXT },
	{ "  detail", "outcome.detail", KM_CELL_TEXT },
	{ "verdict", "verdict", KM_CELL_TEXT },
	{ "  because", "verdict_reason", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column decided[] = {
	{ "id", "id", KM_CELL_TEXT },
	{ "taken", "command", KM_CELL_TEXT },
	{ 0 },
};

static void plain_list(struct km_cli *cli, const cJSON *end)
{
	const cJSON *open = km_path(end, "waiting");

	if (cJSON_IsArray(open) && open->child) {
		fputs("waiting for you (kmend action approve ID, or deny ID)\n", cli->out);
		km_print_table(cli, open, waiting, NULL);
		fputc('\n', cli->out);
	}
	km_print_table(cli, km_path(end, "actions"), columns, "nothing was decided yet");
}

static void plain_show(struct km_cli *cli, const cJSON *end)
{
	km_print_list(cli, cJSON_GetArrayItem(km_path(end, "actions"), 0), rows);
}

static int list(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "action",
		.command = "list",
		.words = { { .name = "--service" }, { .name = "--limit", .kind = KM_WORD_COUNT } },
		.plain = plain_list,
	};

	return km_ask(cli, argc, argv, &ask);
}

static int show(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "action",
		.command = "show",
		.words = { { .name = "id", .kind = KM_WORD_COUNT, .required = true } },
		.plain = plain_show,
	};

	return km_ask(cli, argc, argv, &ask);
}

static int approve(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "action",
		.command = "approve",
		.words = { { .name = "id", .kind = KM_WORD_COUNT, .required = true } },
		.rows = decided,
	};

	return km_ask(cli, argc, argv, &ask);
}

static int deny(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "action",
		.command = "deny",
		.words = { { .name = "id", .kind = KM_WORD_COUNT, .required = true } },
		.rows = decided,
	};

	return km_ask(cli, argc, argv, &ask);
}

static int say_proof(struct km_cli *cli, const char *dir, int r, const struct km_journal_report *p)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;

	if (cli->format == KM_PLAIN && r == 0) {
		fprintf(cli->out, "%llu records in %llu segments: chain and checksums hold\n",
		        (unsigned long long)p->records, (unsigned long long)p->segments);
		return KM_EXIT_DONE;
	}
	if (cli->format == KM_PLAIN)
		return km_say(cli, KM_EXIT_FAILED,
		              "compare it with a copy; what is before it is proved",
		              "%s/%s is damaged at record %llu: %s", dir, p->file,
		              (unsigned long long)p->bad_sequence, p->what);
	if (km_buf_new(KM_JSON_BYTES_MAX, &out) < 0)
		return KM_EXIT_FAILED;
	km_jw_init(&w, out, cli->format == KM_PRETTY);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_kbool(&w, "good", r == 0);
	km_jw_ku64(&w, "records", p->records);
	km_jw_ku64(&w, "segments", p->segments);
	km_jw_ku64(&w, "bad_sequence", p->bad_sequence);
	km_jw_kstring(&w, "file", p->file);
	km_jw_kstring(&w, "what", p->what);
	km_jw_end_object(&w);
	fprintf(cli->out, "%s\n", km_buf_text(out));
	return r == 0 ? KM_EXIT_DONE : KM_EXIT_FAILED;
}

static int verify(struct km_cli *cli, int argc, char **argv)
{
	struct km_word words[] = { { .name = "--state", .local = true }, { 0 } };
	struct km_journal_report report = { 0 };
	km_autoclose int fd = -1;
	char dir[KM_PATH_MAX];
	const char *state;
	int r;

	r = km_words(cli, argc, argv, words);
	if (r)
		return r;
	state = km_word(words, "--state");
	snprintf(dir, sizeof(dir), "%s/journal", state ? state : KM_CLI_STATE_DIR);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return km_say(cli, KM_EXIT_FAILED,
		              "name the state directory with --state DIR, as root", "%s: %s", dir,
		              strerror(errno));
	r = km_journal_verify(fd, NULL, NULL, &report);
	if (r < 0 && r != -EBADMSG)
		return km_say(cli, KM_EXIT_FAILED, NULL, "%s: %s", dir, strerror(-r));
	return say_proof(cli, dir, r, &report);
}

const struct km_cmd km_action_cmds[] = {
	{ "list", list, "[--service NAME] [--limit N]", "decisions, newest first, and what waits" },
	{ "show", show, "ID", "one decision with outcome and verdict" },
	{ "approve", approve, "ID", "let a waiting repair begin, or end a quarantine (root)" },
	{ "deny", deny, "ID", "refuse a waiting repair (root)" },
	{ "verify", verify, "[--state DIR]", "prove the action journal's chain (offline)" },
	{ 0 },
};
