/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

static void print_plain(struct km_cli *cli, const struct km_ask *ask, const cJSON *end)
{
	const cJSON *more = cJSON_GetObjectItemCaseSensitive(end, "more");

	if (ask->plain) {
		ask->plain(cli, end);
		return;
	}
	if (ask->rows)
		km_print_list(cli, end, ask->rows);
	if (ask->array)
		km_print_table(cli, km_path(end, ask->array), ask->columns, ask->none);
	if (cJSON_IsNumber(more) && more->valuedouble > 0)
		fprintf(cli->out, "... and %.0f more: --offset N\n", more->valuedouble);
}

int km_ask(struct km_cli *cli, int argc, char **argv, const struct km_ask *ask)
{
	km_autofree(km_json_freep) struct km_json *end = NULL;
	struct km_word words[KM_WORDS_MAX];
	const struct km_request_opts o = { .object = ask->object,
		                           .command = ask->command,
		                           .words = words };
	int r;

	memcpy(words, ask->words, sizeof(words));
	r = km_words(cli, argc, argv, words);
	if (r)
		return r;
	r = km_request(cli, &o, &end);
	if (r || !end)
		return r;
	if (cli->format != KM_PLAIN)
		return km_print_json(cli, km_json_root(end));
	print_plain(cli, ask, km_json_root(end));
	return KM_EXIT_DONE;
}
